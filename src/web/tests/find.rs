//! The page that finds people.

use super::*;

async fn found(web: &Running, question: &str) -> String {
    let answer = web.get(&format!("/find?q={question}"), "Accept: text/html\r\n").await;
    assert_eq!(answer.status, 200, "{question}");
    answer.body
}

/// The index is kept by a task of the service.
fn keep_index(web: &Running) -> JoinHandle<()> {
    tokio::spawn(web.backend.find.clone().run(Arc::clone(&web.backend.resolver)))
}

#[tokio::test]
async fn people_are_found_and_an_answer_is_explained() {
    let web = Running::start(None).await;
    let _kept = keep_index(&web);
    for question in ["kari", "nord%20k", "sjomat", "2233", "%2B4722334455", "22+33+44+55"] {
        let page = found(&web, question).await;
        assert!(page.contains("Kari Nordmann") && page.contains("22 33 44 55"), "{question}: {page}");
        assert!(page.contains("One hit."), "{question}: {page}");
    }
    let explained = found(&web, "22334455").await;
    for part in [
        "A phone shows",
        "Kari Nordmann (Fjord Sjømat AS)",
        "22 33 44 55: a national number, known",
        "certain: the likeliest reading is known",
        "Kari Nordmann (id 654)",
        "Fjord Sjømat AS (id 243)",
        "22334455, as in NO",
        "32 of 56 bytes",
    ] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    let nobody = found(&web, "22999999").await;
    assert!(nobody.contains("Nobody has this number.") && nobody.contains("Nobody is found."), "{nobody}");
    assert!(!found(&web, "kari").await.contains("A phone shows"));
    let part = web.get("/find?q=kari&part=hits", "").await.body;
    assert!(part.contains("Kari Nordmann") && !part.contains("<html"), "{part}");
    let norwegian = web.get("/find?q=22334455", "Accept-Language: nb\r\n").await.body;
    assert!(norwegian.contains("nasjonalt nummer, kjent"), "{norwegian}");
}

#[tokio::test]
async fn a_question_is_text_and_may_be_anything() {
    let web = Running::start(None).await;
    let _kept = keep_index(&web);
    let page = found(&web, "%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!page.contains("<script>alert") && page.contains("alert(1)"), "{page}");
    for question in ["", "%20", "%00", "%F0%9F%99%82", &"%C3%A5".repeat(500), "%2B", "-", "0"] {
        found(&web, question).await;
    }
}

#[tokio::test]
async fn a_new_directory_is_searched_and_a_number_that_must_not_be_named_is_not_found() {
    let web = Running::start(None).await;
    let _kept = keep_index(&web);
    assert!(found(&web, "kari").await.contains("Kari Nordmann"));
    let number = Number::new(47, 22_334_466).unwrap();
    let ola = Entry::example(number, (7, "Ola Berg"), (0, ""));
    web.backend
        .resolver
        .swap(crate::directory::merge::merge_one(&crate::directory::merge::Rules::default(), [ola]));
    // The index follows the directory.
    while !found(&web, "ola").await.contains("Ola Berg") {}
    assert!(found(&web, "kari").await.contains("Nobody is found."));
    let suppressed = crate::directory::suppressed::Suppressed::default().with([number]);
    web.backend.resolver.suppress(&suppressed);
    for question in ["ola", "22334466"] {
        let page = found(&web, question).await;
        assert!(!page.contains("Ola Berg"), "{page}");
    }
    assert!(found(&web, "22334466").await.contains("This number must not be named."));
}
