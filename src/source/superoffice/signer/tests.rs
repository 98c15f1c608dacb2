//! What is refused, and what is renewed, on paused time. No request is sent: nobody listens on port 1.

use reqwest::StatusCode;
use tokio::time::{advance, sleep};

use super::RequestKind::{List, Search};
use super::*;
use crate::source::superoffice::tests::settings;

const MINUTE: Duration = Duration::from_mins(1);
const REST: Duration = Duration::from_mins(5);

fn http() -> Http {
    crate::tls::install();
    Http::new(&settings()).unwrap()
}

fn refusal() -> FetchError {
    FetchError::Refused { status: StatusCode::UNAUTHORIZED, said: "no".into() }
}

#[tokio::test(start_paused = true)]
async fn a_refused_password_is_tried_again_after_a_rest_or_by_order_or_when_it_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, "wrong").unwrap();
    let password = Secret::File(path.clone());
    let credential = Credential::Basic { username: "nameplate".into(), password };
    let (http, signer) = (http(), Signer::new(&Settings { credential, ..settings() }, REST));

    let refuse = async || {
        let signed = signer.sign(&http, List).await.unwrap();
        signer.refused(&signed, &refusal()).await;
        drop(signed);
        assert!(signer.sign(&http, List).await.unwrap_err().is_refusal());
    };
    refuse().await;
    advance(REST - MINUTE).await;
    assert!(signer.sign(&http, List).await.is_err());
    advance(MINUTE).await;
    refuse().await;
    signer.try_again();
    refuse().await;
    std::fs::write(&path, "right").unwrap();
    let mut signed = signer.sign(&http, List).await.unwrap();
    signer.accepted(&mut signed);
    assert!(signer.sign(&http, List).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn as_long_as_nothing_is_known_of_a_signature_one_request_has_it() {
    let (http, signer) = (http(), Arc::new(Signer::new(&settings(), REST)));
    let first = signer.sign(&http, List).await.unwrap();
    let mut others = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (http, signer) = (self::http(), Arc::clone(&signer));
        others.spawn(async move { signer.sign(&http, List).await.map(|_| ()) });
    }
    sleep(Duration::from_secs(1)).await;
    assert!(others.try_join_next().is_none(), "tried beside the first");
    signer.refused(&first, &refusal()).await;
    drop(first);
    assert!(others.join_all().await.into_iter().all(|other| other.unwrap_err().is_refusal()));

    // Accepted, it is anybody's; and nobody waits for a first one without an end.
    signer.try_again();
    let mut first = signer.sign(&http, List).await.unwrap();
    assert!(matches!(signer.sign(&http, List).await, Err(FetchError::Silent(_))));
    signer.accepted(&mut first);
    let (second, third) = (signer.sign(&http, List).await, signer.sign(&http, List).await);
    assert!(second.is_ok() && third.is_ok());
}

fn of_a_tenant(credential: Credential) -> Settings {
    let site = Site::Tenant { name: "Cust12345".into(), host: "http://127.0.0.1:1/".parse().unwrap() };
    Settings { site, credential, ..settings() }
}

fn system_user() -> Credential {
    let secret = |text: &str| Secret::Given(text.into());
    let private_key = secret(include_str!("../../../../tests/data/test-only-partner-key.pem"));
    Credential::SystemUser { system_token: secret("token"), client_secret: secret("secret"), private_key }
}

#[tokio::test(start_paused = true)]
async fn a_system_users_ticket_ends_six_hours_after_its_last_use() {
    let (http, signer) = (http(), Signer::new(&of_a_tenant(system_user()), REST));
    *signer.token.lock().await =
        Some(LoginToken { value: "7T:x".into(), until: Instant::now() + TICKET_LIFE });
    // Each use renews it: after twenty hours of use it is the same still.
    for _ in 0..4 {
        advance(5 * 60 * MINUTE).await;
        let mut signed = signer.sign(&http, List).await.unwrap();
        assert_eq!(signed.headers[AUTHORIZATION], "SOTicket 7T:x");
        assert!(!signed.fresh);
        signer.accepted(&mut signed);
    }
    advance(TICKET_LIFE + MINUTE).await;
    // Another one is asked for, of a host that is not there.
    let error = signer.sign(&http, List).await.unwrap_err();
    assert!(error.to_string().starts_with("can't reach it"), "{error}");
    assert!(signer.token.lock().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_has_ended_is_renewed_by_each_list_that_has_it_and_one_that_is_refused_at_once_by_two()
{
    let (http, signer) = (http(), Signer::new(&of_a_tenant(system_user()), REST));
    let until = Instant::now() + TICKET_LIFE;
    *signer.token.lock().await = Some(LoginToken { value: "7T:old".into(), until });
    let mut old = signer.sign(&http, List).await.unwrap();
    signer.accepted(&mut old);
    signer.refused(&old, &refusal()).await;
    assert!(signer.token.lock().await.is_none() && signer.answers(List).accepted.is_none());
    // Another list is between its signature and its question.
    assert!(signer.check(List, old.digest).is_ok());

    let refuse_new = async || {
        *signer.token.lock().await = Some(LoginToken { value: "7T:new".into(), until });
        let mut new = signer.sign(&http, List).await.unwrap();
        new.fresh = true;
        signer.refused(&new, &refusal()).await;
    };
    // That may be for want of a right. The next list finds it out.
    refuse_new().await;
    refuse_new().await;
    assert!(signer.sign(&http, List).await.unwrap_err().is_refusal());
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_one_for_all_lists_too() {
    let (http, signer) = (http(), Signer::new(&of_a_tenant(system_user()), REST));
    let refusal = FetchError::Login { said: "revoked".into(), advice: "have it approved".into() };
    signer.remember(List, signer.secrets().unwrap(), &refusal);
    assert!(matches!(signer.sign(&http, List).await, Err(FetchError::Login { .. })));
    advance(REST).await;
    // It goes to the login host again.
    assert!(!matches!(signer.sign(&http, List).await, Err(FetchError::Login { .. })));
}

/// A signature of a list, accepted.
async fn accepted(signer: &Signer, http: &Http) -> SignedHeaders {
    let mut signed = signer.sign(http, List).await.unwrap();
    signer.accepted(&mut signed);
    signed
}

#[tokio::test(start_paused = true)]
async fn a_search_that_is_refused_keeps_searches_back_and_no_list() {
    for is_known in [true, false] {
        let (http, signer) = (http(), Signer::new(&settings(), REST));
        if is_known {
            accepted(&signer, &http).await;
        }
        let search = signer.sign(&http, Search).await.unwrap();
        signer.refused(&search, &refusal()).await;
        drop(search);
        assert!(signer.sign(&http, Search).await.unwrap_err().is_refusal());
        accepted(&signer, &http).await;
        // The refusal of a search is not forgotten over that, and ends like any other.
        assert!(signer.sign(&http, Search).await.unwrap_err().is_refusal());
        advance(REST).await;
        assert!(signer.sign(&http, Search).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_that_is_not_answered_is_waited_for_by_no_list() {
    let (http, signer) = (http(), Signer::new(&settings(), REST));
    let search = signer.sign(&http, Search).await.unwrap();
    let begun = Instant::now();
    accepted(&signer, &http).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    drop(search);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_wrong_for_searches_too() {
    let (http, signer) = (http(), Signer::new(&settings(), REST));
    let list = signer.sign(&http, List).await.unwrap();
    signer.refused(&list, &refusal()).await;
    assert!(signer.sign(&http, Search).await.unwrap_err().is_refusal());
}

#[tokio::test(start_paused = true)]
async fn one_list_without_a_right_keeps_no_other_back_and_a_changed_password_all_after_two() {
    let (http, signer) = (http(), Signer::new(&settings(), REST));
    for _ in 0..3 {
        let list = accepted(&signer, &http).await;
        signer.refused(&list, &refusal()).await;
    }
    let next = signer.sign(&http, List).await.unwrap();
    signer.refused(&next, &refusal()).await;
    drop(next);
    assert!(signer.sign(&http, List).await.unwrap_err().is_refusal());
}

#[tokio::test(start_paused = true)]
async fn a_ticket_is_renewed_once_for_a_list_or_a_search_without_a_right() {
    let (http, signer) = (http(), Signer::new(&of_a_tenant(system_user()), REST));
    let until = Instant::now() + TICKET_LIFE;
    let give =
        async |ticket: &str| *signer.token.lock().await = Some(LoginToken { value: ticket.into(), until });
    let refuse_renewed = async |kind, ticket: &str| {
        let old = signer.sign(&http, kind).await.unwrap();
        signer.refused(&old, &refusal()).await;
        drop(old);
        assert!(signer.token.lock().await.is_none());
        give(ticket).await;
        let new = SignedHeaders { fresh: true, ..signer.sign(&http, kind).await.unwrap() };
        signer.refused(&new, &refusal()).await;
    };
    give("7T:1").await;
    accepted(&signer, &http).await;
    refuse_renewed(List, "7T:2").await;
    accepted(&signer, &http).await;
    refuse_renewed(Search, "7T:3").await;
    accepted(&signer, &http).await;
    assert!(signer.sign(&http, Search).await.unwrap_err().is_refusal());
    advance(REST).await;
    let search = signer.sign(&http, Search).await.unwrap();
    signer.refused(&search, &refusal()).await;
    assert!(signer.token.lock().await.is_some(), "renewed in vain once more");
}

#[test]
fn a_signature_knows_what_it_is_made_of() {
    let mut headers = HeaderMap::new();
    put(&mut headers, AUTHORIZATION, "Basic ", &STANDARD.encode("nameplate:pass:wørd").into()).unwrap();
    put(&mut headers, COOKIE, "", &"session=abcdef; x=1".into()).unwrap();
    let signed =
        SignedHeaders { headers, kind: List, digest: SecretDigest([0; 32]), trial: None, fresh: false };
    let secrets = signed.secrets();
    for secret in ["pass:wørd", STANDARD.encode("nameplate:pass:wørd").trim_end_matches('='), "abcdef"] {
        assert!(secrets.iter().any(|found| found == secret), "{secret}: {secrets:?}");
    }
    assert!(!secrets.iter().any(|found| found == "Basic"));
}
