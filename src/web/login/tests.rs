//! Who gets in, over real sockets.

use std::time::{Duration, Instant};

use crate::web::tests::running::{Answer, Running};
use crate::web::{PasswordHash, Role, Settings, User};

const TOKEN: &str = "s3cret-token";
const PASSWORD: &str = "correct horse";
const HTML: &str = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n";

fn user(name: &str, role: Role) -> User {
    User { name: name.into(), role, password: PasswordHash::make(PASSWORD).unwrap() }
}

fn with_users(token: Option<&str>) -> Settings {
    let users = vec![user("kari", Role::Operator), user("åse", Role::Administrator)];
    Settings { users, ..Running::settings(token) }
}

async fn web(token: Option<&str>) -> Running {
    let web = Running::start(token).await;
    web.reload(with_users(token));
    web
}

/// The cookie of a login, as a header.
fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").unwrap_or_else(|| panic!("{answer:?}"));
    format!("Cookie: a=b; {}\r\n", cookie.split(';').next().unwrap())
}

async fn log_in(web: &Running, name: &str, password: &str) -> Answer {
    web.post("/login", HTML, &format!("name={name}&password={password}&to=%2Fstatus")).await
}

/// The token against forgery of a page.
fn forgery(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"forgery\" value=\"").unwrap_or_else(|| panic!("{page:?}"));
    rest.split('"').next().unwrap().to_owned()
}

/// All paths of the server, as its router knows them.
fn routes(web: &Running) -> Vec<String> {
    let router = format!("{:?}", crate::web::Server::new(web.live.subscribe()).unwrap().router);
    let paths = router.split('"').filter(|text| text.starts_with('/') && !text.contains('*'));
    let mut paths: Vec<_> = paths.map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    for known in [
        "/", "//lookup", "/find", "/healthz", "/login", "/logout", "/lookup", "/metrics", "/readyz",
        "/status",
    ] {
        assert!(paths.iter().any(|path| path == known), "{known} {paths:?}");
    }
    paths
}

#[tokio::test]
async fn a_stranger_sees_nothing_on_any_path_but_healthz() {
    let strangers = [
        // Whoever asks where a token is set; and where none is, whoever asks through a proxy.
        (Some(TOKEN), ""),
        (Some(TOKEN), "Authorization: Bearer wrong\r\n"),
        (Some(TOKEN), "Cookie: nameplate_session=wrong\r\n"),
        (Some(TOKEN), "X-Forwarded-For: 127.0.0.1\r\n"),
        (None, "Forwarded: for=127.0.0.1\r\n"),
        (None, "X-Forwarded-Host: names.example\r\n"),
    ];
    for (token, headers) in strangers {
        let web = web(token).await;
        for path in routes(&web).into_iter().chain(["/nothing".into(), "/lookup/".into()]) {
            let asked = format!("{path}?number=22334455&q=kari");
            for method in ["GET", "HEAD", "POST", "DELETE"] {
                for accept in ["", HTML, "Accept: application/json\r\n", "Accept: text/event-stream\r\n"] {
                    let request =
                        format!("{method} {asked} HTTP/1.1\r\nHost: localhost\r\n{headers}{accept}\r\n");
                    // Wrong tokens take their time.
                    if headers.contains("Bearer") && (method != "GET" || accept != HTML) {
                        continue;
                    }
                    let answer = web.send(&request).await;
                    let line = format!("{request}{answer:?}");
                    assert!(!answer.body.contains("Kari") && !answer.body.contains("Fjord"), "{line}");
                    assert!(!answer.body.contains("pbx1") && !answer.body.contains("nameplate_"), "{line}");
                    let is_for_strangers = ["/healthz", "/login", "/style.css", "/page.js", "/icon.svg"]
                        .contains(&path.as_str());
                    match answer.status {
                        303 => {
                            assert!(answer.header("location").unwrap().starts_with("/login?to="), "{line}");
                        }
                        401 => {}
                        200 | 405 | 415 | 422 => assert!(is_for_strangers, "{line}"),
                        _ => panic!("{line}"),
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_token_opens_the_pages_and_its_cookie_is_for_nobody_else() {
    let web = Running::start(Some(TOKEN)).await;
    let page = web.get("/status?x=1", HTML).await;
    assert_eq!(page.header("location"), Some("/login?to=%2Fstatus%3Fx%3D1"));
    let login = web.get("/login?to=%2Fstatus%3Fx%3D1", HTML).await;
    assert!(
        login.body.contains("value=\"/status?x=1\"") && !login.body.contains("name=\"name\""),
        "{login:?}"
    );

    assert_eq!(log_in(&web, "", "wrong").await.status, 401);
    let done = log_in(&web, "", TOKEN).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/status")));
    let line = done.header("set-cookie").unwrap();
    assert!(line.ends_with("; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict"), "{line}");
    let page = web.get("/status", &cookie(&done)).await;
    assert!(page.status == 200 && page.body.contains("Administrator by token"), "{page:?}");
    // The cookie is for people. Clients show the token.
    assert_eq!(web.get("/lookup?number=22334455", &cookie(&done)).await.status, 401);

    let secure = web.post("/login", "X-Forwarded-Proto: https\r\n", &format!("password={TOKEN}")).await;
    assert!(secure.header("set-cookie").unwrap().ends_with("; Secure"), "{secure:?}");
    let secure = web.post("/login", "Forwarded: proto=https\r\n", &format!("password={TOKEN}")).await;
    assert!(secure.header("set-cookie").unwrap().ends_with("; Secure"), "{secure:?}");
    // Another cookie each time, and what is sent along is not taken over.
    let again = web.post("/login", &cookie(&done), &format!("password={TOKEN}")).await;
    assert_ne!(cookie(&done), cookie(&again));

    // A form without its token does nothing.
    for form in ["", "forgery=", "forgery=wrong"] {
        assert_eq!(web.post("/logout", &cookie(&done), form).await.status, 403, "{form}");
    }
    assert_eq!(web.get("/status", &cookie(&done)).await.status, 200);
    let other = web.get("/", &cookie(&again)).await;
    assert_eq!(
        web.post("/logout", &cookie(&done), &format!("forgery={}", forgery(&other))).await.status,
        403
    );
    let form = format!("forgery={}", forgery(&page));
    let gone = web.post("/logout", &cookie(&done), &form).await;
    assert!(gone.header("set-cookie").unwrap().contains("nameplate_session=; Max-Age=0"), "{gone:?}");
    assert_eq!(web.get("/status", &cookie(&done)).await.status, 401);
    assert_eq!(web.get("/status", &cookie(&again)).await.status, 200);
}

#[tokio::test]
async fn a_user_has_a_role_as_long_as_the_configuration_says_so() {
    let web = web(Some(TOKEN)).await;
    let kari = log_in(&web, "Kari", "correct+horse").await;
    assert_eq!(kari.status, 303, "{kari:?}");
    let page = web.get("/", &cookie(&kari)).await;
    assert!(page.body.contains("kari, operator"), "{page:?}");
    let ase = log_in(&web, "%C3%85se", "correct+horse").await;
    assert!(web.get("/", &cookie(&ase)).await.body.contains("åse, administrator"));
    let by_token = log_in(&web, "", TOKEN).await;
    assert_eq!(log_in(&web, "ola", "correct+horse").await.status, 401);
    assert_eq!(log_in(&web, "kari", TOKEN).await.status, 401);

    let mut settings = with_users(Some(TOKEN));
    let kari_again = settings.users.remove(0);
    // Kari's hash is another one: with the same password she logs in again. Åse stays as she is.
    settings.users = vec![kari_again, web.live.borrow().settings.users[1].clone()];
    web.reload(settings.clone());
    assert_eq!(web.get("/", &cookie(&kari)).await.status, 401);
    settings.users[1].role = Role::Operator;
    web.reload(settings.clone());
    assert!(web.get("/", &cookie(&ase)).await.body.contains("åse, operator"));
    settings.users.clear();
    web.reload(settings);
    assert_eq!(web.get("/", &cookie(&ase)).await.status, 401);
    assert_eq!(web.get("/", &cookie(&by_token)).await.status, 200);
    web.reload(with_users(Some("another-token")));
    assert_eq!(web.get("/", &cookie(&by_token)).await.status, 401);
}

#[tokio::test]
async fn clients_with_the_token_see_the_pages_too_and_need_their_forgery_token() {
    let web = Running::start(Some(TOKEN)).await;
    for shown in ["Bearer s3cret-token", "Basic bmFtZXBsYXRlOnMzY3JldC10b2tlbg=="] {
        let headers = format!("Authorization: {shown}\r\n");
        for path in ["/", "/find", "/status", "/metrics", "/lookup?number=22334455"] {
            assert_eq!(web.get(path, &headers).await.status, 200, "{shown} {path}");
        }
        for form in ["", "forgery=wrong"] {
            let answer = web.post("/logout", &headers, form).await;
            assert_eq!(answer.status, 403, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn on_loopback_without_a_token_the_pages_are_shown_without_buttons() {
    let web = Running::start(None).await;
    for path in ["/", "/find", "/status"] {
        let page = web.get(path, HTML).await;
        assert!(page.status == 200 && !page.body.contains("<form method=\"post\""), "{page:?}");
        assert!(!page.body.contains("/login"), "nobody can log in: {page:?}");
    }
    let answer = web.post("/logout", "", "forgery=").await;
    assert!(answer.status == 403 && answer.body.contains("a login is wanted"), "{answer:?}");
    // With users there is a login, for the buttons.
    web.reload(with_users(None));
    let page = web.get("/status", HTML).await;
    assert!(page.status == 200 && page.body.contains("/login?to=/status"), "{page:?}");
    let kari = log_in(&web, "kari", "correct+horse").await;
    assert!(web.get("/status", &cookie(&kari)).await.body.contains("kari, operator"));
    // A name is text.
    web.reload(Settings {
        users: vec![user("<script>alert(1)</script>", Role::Operator)],
        ..Running::settings(None)
    });
    let evil = log_in(&web, "%3Cscript%3Ealert(1)%3C/script%3E", "correct+horse").await;
    let page = web.get("/status", &cookie(&evil)).await;
    assert!(
        page.body.contains("&#60;script&#62;alert(1)") && !page.body.contains("<script>alert"),
        "{page:?}"
    );
}

#[tokio::test]
async fn a_page_of_another_origin_gets_a_doorstep_and_no_login() {
    let web = Running::start(None).await;
    let other = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: ";
    let step = web.get("/", &format!("{other}navigate\r\n{HTML}")).await;
    assert!(step.status == 403 && step.body.contains("You come from another site"), "{step:?}");
    assert!(step.header("content-security-policy").is_some_and(|policy| !policy.contains("unsafe")));
    assert_eq!(
        web.get("/", &format!("{other}no-cors\r\n")).await.body,
        "this server answers no page of another origin\n"
    );
    let web = Running::start(Some(TOKEN)).await;
    for headers in ["Sec-Fetch-Site: cross-site\r\n", "Origin: https://evil.example\r\n", "Origin: null\r\n"]
    {
        let answer = web.post("/login", headers, &format!("password={TOKEN}")).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{headers}");
    }
}

#[tokio::test]
async fn every_page_is_kept_from_scripts_frames_and_caches() {
    let web = Running::start(None).await;
    for path in ["/", "/find", "/status", "/login"] {
        let page = web.get(path, HTML).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        // Nothing inline, which the policy would stop, and nothing from elsewhere.
        assert!(
            !page.body.contains("style=") && !page.body.contains(" on") || !page.body.contains("onclick"),
            "{path}"
        );
        assert!(!page.body.contains("<style") && !page.body.contains("src=\"http"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tries_wait_and_whoever_has_the_token_does_not() {
    let web = std::sync::Arc::new(web(Some(TOKEN)).await);
    let begun = Instant::now();
    for _ in 0..3 {
        let answer = log_in(&web, "kari", "wrong").await;
        assert!(answer.status == 401 && answer.body.contains("role=\"alert\""), "{answer:?}");
    }
    // Half a second behind the first one, a second behind the second one.
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "{:?}", begun.elapsed());
    let text = web.backend.metrics.write(crate::observe::metrics::Form::Plain).unwrap();
    assert!(text.contains("\nnameplate_web_wrong_logins_total 3\n"), "{text}");
    // A stranger who tries without end keeps the password of a user waiting, and the token not at all.
    let flood: Vec<_> = (0..40)
        .map(|n| {
            let web = std::sync::Arc::clone(&web);
            tokio::spawn(async move {
                let form = format!("name=kari&password=wrong{n}");
                web.post("/login", "X-Forwarded-For: 192.0.2.1\r\n", &form).await.status
            })
        })
        .collect();
    let mut one_is_refused = false;
    let begun = Instant::now();
    assert_eq!(log_in(&web, "", TOKEN).await.status, 303);
    let token_took = begun.elapsed();
    for done in flood {
        let status = done.await.unwrap();
        one_is_refused |= status == 429;
        assert!([401, 429].contains(&status), "{status}");
    }
    assert!(one_is_refused);
    assert!(token_took < begun.elapsed() / 2, "{token_took:?} of {:?}", begun.elapsed());
    // From another address the right password comes first.
    let right =
        web.post("/login", "X-Forwarded-For: 192.0.2.9\r\n", "name=kari&password=correct+horse").await;
    assert_eq!(right.status, 303, "{right:?}");
}

#[test]
fn the_address_of_a_try_is_what_the_proxy_on_this_machine_adds() {
    use super::client;
    use axum::http::{HeaderMap, HeaderValue};
    let client = |from: &str, values: &[&'static str]| {
        let headers = values.iter().map(|value| ("x-forwarded-for", HeaderValue::from_static(value)));
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(name, value);
        }
        client(from.parse().unwrap(), &all).to_string()
    };
    assert_eq!(client("127.0.0.1", &["203.0.113.1, 192.0.2.7"]), "192.0.2.7");
    assert_eq!(client("::1", &["203.0.113.1", "2001:db8::1"]), "2001:db8::1");
    assert_eq!(client("127.0.0.1", &["unknown"]), "127.0.0.1");
    assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
    // Whoever is no proxy of this machine may write anything.
    assert_eq!(client("192.0.2.1", &["203.0.113.1"]), "192.0.2.1");
}
