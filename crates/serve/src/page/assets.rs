//! The files of the page, one line each; a test holds this table against the folder.

use super::Asset;

macro_rules! asset {
    ($path:literal) => {
        Asset { path: $path, bytes: include_bytes!(concat!("../../page/", $path)) }
    };
}

/// Every file.
pub(super) const ASSETS: &[Asset] = &[
    asset!("app.js"),
    asset!("app/draw.js"),
    asset!("app/list.js"),
    asset!("dom.js"),
    asset!("icon.svg"),
    asset!("index.html"),
    asset!("main.js"),
    asset!("markdown/block.js"),
    asset!("markdown/highlight.js"),
    asset!("markdown/inline.js"),
    asset!("markdown/link.js"),
    asset!("markdown/render.js"),
    asset!("net/answer.js"),
    asset!("net/api.js"),
    asset!("net/outbox.js"),
    asset!("net/sse.js"),
    asset!("net/trouble.js"),
    asset!("state/format.js"),
    asset!("state/settings.js"),
    asset!("state/tree.js"),
    asset!("state/turn.js"),
    asset!("style/base.css"),
    asset!("style/dialogs.css"),
    asset!("style/frame.css"),
    asset!("style/messages.css"),
    asset!("style/prose.css"),
    asset!("theme.js"),
    asset!("view/announcer.js"),
    asset!("view/composer.js"),
    asset!("view/dialogs.js"),
    asset!("view/messages.js"),
    asset!("view/shortcuts.js"),
    asset!("view/sidebar.js"),
    asset!("view/theme.js"),
];
