//! `GET /` and `GET /page/{*file}`: the page itself. It holds nothing secret, so it needs no key:
//! the person types theirs into it.

use super::super::{Answer, Call, Handling, Route, Verb};
use crate::{
    fault::{Family, Fault},
    gate::Access,
    page,
};

/// The page.
pub(crate) const INDEX: Route = Route {
    method: Verb::Get,
    path: "/",
    access: Access::Open,
    family: Family::OpenAi,
    summary: "The server's own page, to talk with its models",
    fields: &[],
    answer: Answer::Text,
    handle,
};

/// What it is made of.
pub(crate) const FILE: Route =
    Route { path: "/page/{*file}", summary: "A file of the page", ..INDEX };

fn handle(call: Call) -> Handling {
    let path = call.part.as_deref().unwrap_or("index.html");
    let answer = page::answer(path, &call.head.headers);
    Box::pin(async move { answer.ok_or_else(|| Fault::not_found("the page has no such file")) })
}
