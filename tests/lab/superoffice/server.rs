//! The connections of the stand-in, and what an honest server answers.

use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Answer, BASE, Fault, Request, Setting, Shared, http, login, phonesearch, pocket};

/// Connections end with this task: dropping a `JoinSet` aborts what is in it.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(converse(shared.clone(), stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(shared: Arc<Shared>, stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = http::read(&mut stream).await {
        let wants_close = request.header("Connection").is_some_and(|value| value == "close");
        let noted = shared.note(request.clone());
        let (delay, fault) = {
            let mut setting = shared.setting();
            let is_search = request.path.ends_with(phonesearch::PHONE_SEARCH);
            let delay = if is_search { setting.delay.max(setting.search.delay) } else { setting.delay };
            (delay, setting.next_fault())
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let answer = match &fault {
            Some(Fault::Dropped) => return,
            Some(Fault::Silent) => {
                // Until the client gives up, which ends the connection.
                let _ = stream.read_to_end(&mut Vec::new()).await;
                return;
            }
            Some(Fault::Answer(answer)) => answer.clone(),
            Some(Fault::Truncated | Fault::Halting(_)) | None => shared.honest(&request),
        };
        {
            let noted = &mut shared.setting().requests[noted];
            noted.answered = Some((answer.status, Instant::now()));
            noted.compressed = answer.headers.iter().any(|(name, _)| *name == "Content-Encoding");
        }
        let is_truncated = matches!(fault, Some(Fault::Truncated));
        let is_whole = !matches!(fault, Some(Fault::Truncated | Fault::Halting(_)));
        let length = if is_whole { answer.body.len() } else { answer.body.len() / 2 };
        let mut written = http::write(&mut stream, &answer, length).await;
        if let Some(Fault::Halting(rest)) = fault
            && written.is_ok()
        {
            tokio::time::sleep(rest).await;
            written = stream.write_all(&answer.body[length..]).await;
        }
        if written.is_err() || is_truncated || wants_close {
            return;
        }
    }
}

impl Shared {
    /// What the server does when nothing is wrong with it.
    fn honest(&self, request: &Request) -> Answer {
        let mut setting = self.setting();
        let Setting { login, credential, .. } = &mut *setting;
        if let Some(answer) = login.answer(request, &self.origin, credential) {
            return answer;
        }
        let tenant = request.path.strip_prefix(&setting.login.api());
        let Some(path) = request.path.strip_prefix(BASE).or(tenant) else {
            // A tenant that is not here, or no more.
            let is_tenant = request.path.contains(login::TENANT);
            let status = if is_tenant { 421 } else { 404 };
            return Answer::error(status, "SoNotFoundException", "No such resource");
        };
        let method = match path {
            pocket::GET_MY_CALLER_IDS | pocket::GET_CALLER_IDS_FROM_SELECTION => "POST",
            phonesearch::PHONE_SEARCH => "GET",
            _ => return Answer::error(404, "SoNotFoundException", "No such resource"),
        };
        if request.method != method {
            let answer = Answer::error(405, "SoNotSupportedException", "Method not allowed");
            return answer.with("Allow", method);
        }
        let has_token =
            setting.app_token.is_none() || request.header("SO-AppToken") == setting.app_token.as_deref();
        let user = setting.users.iter().find(|(credential, _)| credential.admits(request));
        let is_admitted = setting.credential.admits(request) && !setting.login.has_ended();
        if (!is_admitted && user.is_none()) || !has_token {
            let answer = Answer::error(401, "SoAccessDeniedException", "Authentication failed");
            return answer.with("WWW-Authenticate", setting.credential.challenge());
        }
        let answer = match path {
            pocket::GET_MY_CALLER_IDS => {
                let collection = user.map_or(&setting.collection, |(_, collection)| collection);
                pocket::get_my_caller_ids(request, collection, setting.unchanged)
            }
            phonesearch::PHONE_SEARCH => phonesearch::phone_search(request, &setting.search),
            _ => pocket::get_caller_ids_from_selection(request, &setting.selections, setting.unchanged),
        };
        let takes_gzip = request.header("Accept-Encoding").is_some_and(|takes| takes.contains("gzip"));
        if setting.gzip && takes_gzip { answer.gzip() } else { answer }
    }
}
