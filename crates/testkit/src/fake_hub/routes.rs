//! The hub's routes, as its OpenAPI pages and the Python client know them.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::{
    Content, Gate, Quirk, Repo, Shared, World,
    http::{Length, Reply, Request},
    registry,
    world::{Entry, Kind},
};

pub(super) fn answer(server: &'static str, request: &Request, shared: &Shared) -> Reply {
    let mut world = shared.world.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = failure(request, &mut world) {
        return failure;
    }
    let path = request.path();
    let mut reply = if server == "cdn" {
        cdn(&path, request, &mut world)
    } else if path == "/token" || path.starts_with("/v2/") {
        registry::answer(&path, request, shared, &world)
    } else if let Some(plain) = path.strip_prefix("/plain/") {
        match world.plain.get(plain).cloned() {
            Some(content) => file(request, &world, plain, content, None),
            None => Reply::text(404, "no such file"),
        }
    } else if path == "/api/models" {
        search(request, &world)
    } else if let Some(rest) = path.strip_prefix("/api/models/") {
        api(rest, request, shared, &mut world)
    } else {
        resolve(path.trim_start_matches('/'), request, shared, &mut world)
    };
    if reply.cut.is_some() {
        for quirk in &mut world.quirks {
            if let Quirk::Cut { times, .. } = quirk {
                *times = times.saturating_sub(1);
            }
        }
    }
    for quirk in &world.quirks {
        match quirk {
            Quirk::BigHeader(bytes) => reply = reply.with("X-Padding", "x".repeat(*bytes)),
            Quirk::Encoding(kind) if reply.status == 200 || reply.status == 206 => {
                reply = reply.with("Content-Encoding", kind.clone());
            }
            _ => {}
        }
    }
    reply
}

fn failure(request: &Request, world: &mut World) -> Option<Reply> {
    let (status, retry_after) = world.quirks.iter_mut().find_map(|quirk| match quirk {
        Quirk::Fail { target, status, times, retry_after }
            if *times > 0 && request.target.contains(target.as_str()) =>
        {
            *times -= 1;
            Some((*status, *retry_after))
        }
        _ => None,
    })?;
    let mut reply = Reply::text(status, "not now");
    if let Some(seconds) = retry_after {
        reply = reply.with("Retry-After", seconds.to_string());
    }
    if world.quirks.contains(&Quirk::EchoToken) {
        reply = reply.with(
            "X-Error-Message",
            format!("you sent {}", request.header("authorization").unwrap_or("nothing")),
        );
    }
    Some(reply)
}

/// The model a path begins with, and what follows.
fn find<'a, 'w>(path: &'a str, world: &'w World) -> Option<(&'w Repo, &'a str)> {
    let fits =
        |id: &str| path.strip_prefix(id).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let (id, rest) =
        world.repos.keys().filter_map(|id| Some((id, fits(id)?))).max_by_key(|(id, _)| id.len())?;
    Some((world.repos.get(id)?, rest.trim_start_matches('/')))
}

fn refused(request: &Request, world: &World, repo: Option<&Repo>) -> Option<Reply> {
    let good = world
        .token
        .as_ref()
        .is_some_and(|token| request.header("authorization") == Some(&format!("Bearer {token}")));
    let sent = request.header("authorization").is_some();
    let said = |reply: Reply| {
        if world.quirks.contains(&Quirk::EchoToken) {
            reply.with(
                "X-Error-Message",
                format!("you sent {}", request.header("authorization").unwrap_or("nothing")),
            )
        } else {
            reply
        }
    };
    let unknown = |status| {
        said(Reply::text(status, "Repository not found").with("X-Error-Code", "RepoNotFound"))
    };
    match repo.map(|repo| repo.gate) {
        Some(Gate::Open) => None,
        Some(_) if good => None,
        Some(Gate::Gated) => {
            let status = if sent { 403 } else { 401 };
            Some(said(
                Reply::text(status, "Access to this model is restricted")
                    .with("X-Error-Code", "GatedRepo"),
            ))
        }
        Some(Gate::Private) | None => Some(unknown(if sent { 404 } else { 401 })),
    }
}

fn api(path: &str, request: &Request, shared: &Shared, world: &mut World) -> Reply {
    let found = find(path, world).map(|(repo, rest)| (repo.id.clone(), rest.to_owned()));
    let repo = found.as_ref().and_then(|(id, _)| world.repos.get(id));
    // Names and cards of gated models are public; their files are not.
    let open = repo.is_some_and(|repo| repo.gate == Gate::Gated);
    if !open && let Some(refused) = refused(request, world, repo) {
        return refused;
    }
    let (Some(repo), Some((id, rest))) = (repo, &found) else {
        return Reply::text(404, "Repository not found");
    };
    let (kind, revision) = match rest.split_once('/') {
        None => ("revision", "main".to_owned()),
        Some((kind, revision)) => (kind, revision.trim_end_matches('/').to_owned()),
    };
    let Some(commit) = repo.at(&revision) else {
        return Reply::text(404, "Revision not found").with("X-Error-Code", "RevisionNotFound");
    };
    match kind {
        "revision" => {
            let stated = world.quirk(|quirk| match quirk {
                Quirk::Sha(sha) => Some(sha.clone()),
                _ => None,
            });
            let reply =
                Reply::json(&about(repo, &commit, &stated.unwrap_or_else(|| commit.clone())));
            let moved = world.quirk(|quirk| match quirk {
                Quirk::MoveMain { repo, to } if repo == id => Some(to.clone()),
                _ => None,
            });
            if let (Some(to), Some(repo)) = (moved, world.repos.get_mut(id)) {
                repo.branches.insert("main".to_owned(), to);
            }
            reply
        }
        "tree" => tree(repo, &commit, request, shared, world),
        _ => Reply::text(404, "no such route"),
    }
}

fn about(repo: &Repo, commit: &str, sha: &str) -> Value {
    let files = repo.files(commit).into_iter().flatten();
    json!({
        "_id": "0", "id": repo.id, "modelId": repo.id, "sha": sha,
        "private": repo.gate == Gate::Private,
        "gated": if repo.gate == Gate::Gated { json!("manual") } else { json!(false) },
        "disabled": false, "downloads": 1234, "likes": 5,
        "lastModified": "2026-11-01T00:00:00.000Z", "createdAt": "2026-10-01T00:00:00.000Z",
        "pipeline_tag": "text-generation", "library_name": "transformers",
        "tags": ["gguf", "license:apache-2.0", "base_model:org/base", "base_model:quantized:org/base"],
        "cardData": repo.card,
        "siblings": files.map(|(path, _)| json!({ "rfilename": path })).collect::<Vec<_>>(),
    })
}

fn search(request: &Request, world: &World) -> Reply {
    let words = request.query("search").unwrap_or_default().to_lowercase();
    let limit = request.query("limit").and_then(|text| text.parse().ok()).unwrap_or(100);
    let fits = |repo: &&Repo| words.split(' ').all(|word| repo.id.to_lowercase().contains(word));
    let found =
        world.repos.values().filter(|repo| repo.gate != Gate::Private).filter(fits).take(limit);
    let page: Vec<Value> = found
        .map(|repo| {
            let mut value = about(repo, &repo.head(), &repo.head());
            value["gguf"] = json!({ "total": 596_049_920_u64, "architecture": "qwen3" });
            value
        })
        .collect();
    Reply::json(&Value::Array(page))
}

fn tree(repo: &Repo, commit: &str, request: &Request, shared: &Shared, world: &World) -> Reply {
    let mut entries: Vec<Value> = repo
        .files(commit)
        .into_iter()
        .flatten()
        .map(|(path, entry)| match entry.is_large {
            Kind::Small => json!({ "type": "file", "oid": entry.git, "size": entry.content.len(), "path": path }),
            Kind::Large => {
                // What git holds of a large file is a pointer to it.
                let pointer = format!(
                    "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
                    entry.sha256,
                    entry.content.len()
                );
                json!({
                    "type": "file", "oid": Content::from(pointer.into_bytes()).git(),
                    "size": entry.content.len(), "path": path,
                    "lfs": { "oid": entry.sha256, "size": entry.content.len(), "pointerSize": 134 },
                })
            }
        })
        .collect();
    let mut page = 1000;
    let mut endless = false;
    for quirk in &world.quirks {
        match quirk {
            Quirk::TreeEntry(entry) => entries.push(entry.clone()),
            Quirk::TreeFlood(count) => entries.extend((0..*count).map(|number| {
                json!({ "type": "file", "oid": "0".repeat(40), "size": 1, "path": format!("f{number}") })
            })),
            Quirk::PageSize(size) => page = *size,
            Quirk::EndlessPages => endless = true,
            _ => {}
        }
    }
    let start: usize = request.query("cursor").and_then(|text| text.parse().ok()).unwrap_or(0);
    let more = endless || start + page < entries.len();
    let part: Vec<Value> = entries.into_iter().skip(start).take(page).collect();
    let reply = Reply::json(&Value::Array(part));
    if !more {
        return reply;
    }
    let base = request.target.split("&cursor=").next().unwrap_or_default();
    reply.with(
        "Link",
        format!("<http://{}{base}&cursor={}>; rel=\"next\"", shared.hub, start + page),
    )
}

fn resolve(path: &str, request: &Request, shared: &Shared, world: &mut World) -> Reply {
    let found = find(path, world).map(|(repo, rest)| (repo.id.clone(), rest.to_owned()));
    let repo = found.as_ref().and_then(|(id, _)| world.repos.get(id));
    if let Some(refused) = refused(request, world, repo) {
        return refused;
    }
    let (Some(repo), Some((_, rest))) = (repo, &found) else {
        return Reply::text(404, "Repository not found");
    };
    let Some(rest) = rest.strip_prefix("resolve/") else {
        return Reply::text(404, "no such route");
    };
    // A branch may have a `/` in it.
    let named = repo.branches.keys().chain(repo.commits.iter().map(|(commit, _)| commit));
    let split = named
        .filter_map(|revision| {
            Some((revision, rest.strip_prefix(revision.as_str())?.strip_prefix('/')?))
        })
        .max_by_key(|(revision, _)| revision.len());
    let Some((revision, file_path)) = split else {
        return Reply::text(404, "Revision not found").with("X-Error-Code", "RevisionNotFound");
    };
    let commit = repo.at(revision).unwrap_or_default();
    let Some(entry) = repo.files(&commit).and_then(|files| files.get(file_path)).cloned() else {
        return Reply::text(404, "Entry not found")
            .with("X-Error-Code", "EntryNotFound")
            .with("X-Repo-Commit", commit);
    };
    let redirect = world.quirk(|quirk| match quirk {
        Quirk::Redirect { path, to } if path == file_path => Some(to.clone()),
        _ => None,
    });
    let reply = match (redirect, entry.is_large) {
        (Some(to), _) => Reply::text(302, "elsewhere").with("Location", to),
        (None, Kind::Large) => {
            let number = world.handed.len();
            let address =
                format!("/blob/{}?path={file_path}&Signature=secret{number}", entry.sha256);
            world.handed.insert(address.clone(), 0);
            Reply::text(302, "elsewhere")
                .with("Location", format!("http://{}{address}", shared.cdn))
        }
        (None, Kind::Small) => file(request, world, file_path, entry.content.clone(), Some(&entry)),
    };
    stated(reply, &entry, &commit, world)
}

/// What the hub says of a file on the way to it.
fn stated(reply: Reply, entry: &Entry, commit: &str, world: &World) -> Reply {
    let mut commit = commit.to_owned();
    let mut tag = format!("\"{}\"", entry.oid());
    let mut size = entry.content.len().to_string();
    for quirk in &world.quirks {
        match quirk {
            Quirk::RepoCommit(lie) => commit.clone_from(lie),
            Quirk::Etag(lie) => tag.clone_from(lie),
            Quirk::LinkedSize(lie) => size.clone_from(lie),
            _ => {}
        }
    }
    let reply = reply.with("X-Repo-Commit", commit);
    match entry.is_large {
        Kind::Small => reply.with("ETag", tag),
        Kind::Large => reply.with("X-Linked-Etag", tag).with("X-Linked-Size", size),
    }
}

fn cdn(path: &str, request: &Request, world: &mut World) -> Reply {
    // Addresses are signed; a token has no business here.
    let address = request.target.clone();
    let good_for = world.quirk(|quirk| match quirk {
        Quirk::AddressGoodFor(times) => Some(*times),
        _ => None,
    });
    match world.handed.get_mut(&address) {
        None => return Reply::text(403, "no such signature"),
        Some(used) => {
            *used += 1;
            if good_for.is_some_and(|times| *used > times) {
                return Reply::text(403, "the signature has run out");
            }
        }
    }
    let oid = path.strip_prefix("/blob/").unwrap_or_default();
    let name = request.query("path").unwrap_or_default();
    let held =
        world.repos.values().flat_map(|repo| &repo.commits).flat_map(|(_, files)| files.values());
    let Some(entry) = held.into_iter().find(|entry| entry.sha256 == oid).cloned() else {
        return Reply::text(404, "no such blob");
    };
    let tag = world.quirk(|quirk| match quirk {
        Quirk::CdnTag(tag) => Some(tag.clone()),
        _ => None,
    });
    let tag = tag.unwrap_or_else(|| format!("\"{}\"", &entry.sha256[..32]));
    file(request, world, &name, entry.content.clone(), Some(&entry)).with("ETag", tag)
}

/// The bytes of a file: all, or the range that is asked for.
pub(super) fn file(
    request: &Request,
    world: &World,
    name: &str,
    content: Content,
    entry: Option<&Entry>,
) -> Reply {
    let mut content = content;
    let mut length = Length::True;
    let mut ranges = true;
    let (mut cut, mut rate) = (None, None);
    for quirk in &world.quirks {
        match quirk {
            Quirk::Flip { path, at } if path == name => {
                let mut bytes = content.to_vec();
                if let Some(byte) = usize::try_from(*at).ok().and_then(|at| bytes.get_mut(at)) {
                    *byte ^= 1;
                }
                content = Content::from(bytes);
            }
            Quirk::Swap { path, bytes } if path == name => content = Content::from(bytes.clone()),
            Quirk::Length { path, stated } if path == name => {
                length = stated.map_or(Length::Unstated, Length::Stated);
            }
            Quirk::Html { path } if path == name => {
                return Reply::text(200, "<html><body>please log in</body></html>")
                    .with("Content-Type", "text/html");
            }
            Quirk::IgnoreRange => ranges = false,
            Quirk::Cut { after, times } if *times > 0 => cut = Some(*after),
            Quirk::Rate(bytes) => rate = Some(*bytes),
            _ => {}
        }
    }
    let total = content.len();
    let tag = world.quirk(|quirk| match quirk {
        Quirk::CdnTag(tag) => Some(tag.clone()),
        _ => None,
    });
    let own = tag.or_else(|| {
        let entry = entry?;
        Some(match entry.is_large {
            Kind::Small => format!("\"{}\"", entry.git),
            Kind::Large => format!("\"{}\"", &entry.sha256[..32]),
        })
    });
    let changed = request
        .header("if-range")
        .is_some_and(|held| own.as_deref().is_some_and(|own| own != held));
    let mut reply = match request.range(total).filter(|_| ranges && !changed) {
        Some(range) if range.start >= range.end => {
            return Reply::text(416, "no such range")
                .with("Content-Range", format!("bytes */{total}"));
        }
        Some(range) => {
            let stated = format!("bytes {}-{}/{total}", range.start, range.end - 1);
            let mut reply = Reply::new(206, content).with("Content-Range", stated);
            reply.part = range;
            reply
        }
        None => Reply::new(200, content),
    };
    reply.length = length;
    reply.cut = cut;
    reply.rate = rate;
    reply.counted = (request.method != "HEAD").then_some(());
    reply.with("Accept-Ranges", "bytes").with("Content-Type", "application/octet-stream")
}
