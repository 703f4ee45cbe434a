//! Users: listing, paging, names that break URLs.

use std::collections::HashSet;

use reqwest::Method;
use sandbox::graph::TenantOptions;
use serde_json::Value;

use super::setup::{TestTenant, code, encode, read};

#[tokio::test]
async fn user_pages_are_complete() {
    let s = TestTenant::new(TenantOptions {
        mailboxes: 96,
        users_without_mailbox: 4,
        ..TenantOptions::default()
    })
    .await;
    for (top, pages) in [(50, 2), (100, 1), (33, 4), (999, 1)] {
        s.tenant.forget_requests();
        let users = s.all(&format!("/users?$select=userPrincipalName&$top={top}")).await;
        let names: HashSet<&str> =
            users.iter().map(|user| user["userPrincipalName"].as_str().unwrap()).collect();
        assert_eq!((users.len(), names.len()), (100, 100));
        assert_eq!(s.tenant.requests().len(), pages, "pages of {top}");
        assert_eq!(users[0].as_object().unwrap().len(), 1, "only what was selected");
    }
}

#[tokio::test]
async fn users_are_listed_in_the_tenants_order() {
    let s = TestTenant::small().await;
    let listed = s.all("/users?$top=7").await;
    let known: Vec<String> = s.tenant.users().into_iter().map(|user| user.user_principal_name).collect();
    let listed: Vec<&str> = listed.iter().map(|user| user["userPrincipalName"].as_str().unwrap()).collect();
    assert_eq!(listed, known);
}

#[tokio::test]
async fn startswith_ignores_case_and_reads_doubled_quotes() {
    let s = TestTenant::small().await;
    let users = s.tenant.users();
    for part in ["mc", "MC", "R&D.", "50%"] {
        let filter = encode(&format!("startswith(userPrincipalName,'{part}')"));
        let found = s.all(&format!("/users?$filter={filter}&$top=2")).await;
        let expected =
            users.iter().filter(|u| u.user_principal_name.starts_with(&part.to_lowercase())).count();
        assert_eq!(found.len(), expected);
        assert!(expected > 0, "{part}");
    }
    let irish = users.iter().find(|user| user.user_principal_name.contains('\'')).unwrap();
    let prefix = irish.user_principal_name.split_inclusive('\'').next().unwrap();
    let doubled = encode(&format!("startswith(userPrincipalName,'{}')", prefix.replace('\'', "''")));
    assert_eq!(s.all(&format!("/users?$filter={doubled}")).await.len(), 1);
    let single = encode(&format!("startswith(userPrincipalName,'{prefix}')"));
    assert_eq!(s.get(&format!("/users?$filter={single}")).await.0, 400);
}

#[tokio::test]
async fn proxy_addresses_are_searched() {
    let s = TestTenant::small().await;
    for user in s.tenant.users().into_iter().filter(|user| user.mail.is_some()) {
        for address in user.proxy_addresses() {
            let address = address.to_uppercase().replace("SMTP:", "smtp:").replace('\'', "''");
            let filter = encode(&format!("proxyAddresses/any(a:a eq '{address}')"));
            let found = s.all(&format!("/users?$filter={filter}&$select=id")).await;
            assert_eq!((found.len(), &found[0]["id"]), (1, &serde_json::json!(user.id)), "{address}");
        }
        // The directory does not contain this name either.
        let alias = user.proxy_addresses()[1].trim_start_matches("smtp:").to_owned();
        assert_eq!(s.get(&format!("/users/{}", encode(&alias))).await.0, 404);
    }
    let unknown = encode("proxyAddresses/any(a:a eq 'smtp:unknown@contoso.example')");
    assert!(s.all(&format!("/users?$filter={unknown}")).await.is_empty());
}

#[tokio::test]
async fn user_is_found_by_encoded_name_and_by_id() {
    let s = TestTenant::small().await;
    for user in s.tenant.users() {
        let (status, found) = s.get(&format!("/users/{}", encode(&user.user_principal_name))).await;
        assert_eq!((status, found["displayName"].as_str().unwrap()), (200, user.display_name.as_str()));
        assert_eq!(s.get(&format!("/users/{}", user.id)).await.0, 200);
    }
    let names = s.tenant.mailboxes().join(" ");
    for odd in ["#EXT#", "'", "+", "%", "&", "/"] {
        assert!(names.contains(odd), "no name with {odd}");
    }
}

#[tokio::test]
async fn unencoded_names_are_not_found() {
    let s = TestTenant::small().await;
    let users = s.tenant.users();
    let guest = users.iter().find(|user| user.guest && user.has_mailbox).unwrap();
    let name = &guest.user_principal_name;
    let twice = encode(&encode(name));
    let (status, answer) = s.get(&format!("/users/{twice}")).await;
    assert_eq!((status, code(&answer)), (404, "Request_ResourceNotFound"));
    // An HTTP client cuts the URL at the '#'.
    assert_eq!(s.get(&format!("/users/{name}")).await.0, 404);
    assert_eq!(s.get(&format!("/users/{name}/messages")).await.0, 404);
    let slash = users.iter().find(|user| user.user_principal_name.contains('/')).unwrap();
    assert_eq!(s.get(&format!("/users/{}", slash.user_principal_name)).await.0, 400);
    assert_eq!(s.get("/users/%24top@contoso.example").await.0, 400);
    assert_eq!(s.get("/users//messages").await.0, 400);
}

#[tokio::test]
async fn attempt_to_delete_a_user_is_recorded() {
    let s = TestTenant::small().await;
    let guest = s.tenant.users().into_iter().find(|user| user.guest && user.has_mailbox).unwrap();
    let id = s.tenant.messages(&guest.user_principal_name)[0].id.clone();
    let cut = guest.user_principal_name.split('#').next().unwrap();
    let url = format!("/users/{}/messages/{id}", guest.user_principal_name);
    assert_eq!(s.delete(&url).await.0, 403);
    assert_eq!(s.tenant.users_deleted(), [cut]);
    // In a batch a '#' cuts the URL as well.
    let step = serde_json::json!({"requests": [{"id": "1", "method": "DELETE", "url": url}]});
    assert_eq!(s.post("/$batch", step).await.1["responses"][0]["status"], 403);
    assert_eq!(s.tenant.users_deleted(), [cut, cut]);
}

#[tokio::test]
async fn user_without_a_mailbox_is_refused() {
    let s = TestTenant::small().await;
    let without: Vec<_> = s.tenant.users().into_iter().filter(|user| !user.has_mailbox).collect();
    assert_eq!(without.len(), 4);
    assert!(without.iter().any(|user| user.guest) && without.iter().any(|user| !user.guest));
    for user in without {
        let name = encode(&user.user_principal_name);
        assert_eq!(s.get(&format!("/users/{name}")).await.0, 200);
        for path in ["messages", "mailboxSettings/timeZone", "mailFolders/inbox/messages"] {
            assert_eq!(s.get(&format!("/users/{name}/{path}")).await.0, 404);
        }
    }
    assert_eq!(code(&s.get("/users/unknown@contoso.example/messages").await.1), "ErrorInvalidUser");
}

#[tokio::test]
async fn unsupported_directory_query_is_refused() {
    let s = TestTenant::small().await;
    for query in [
        "$top=0",
        "$top=1000",
        "$top=x",
        "$skip=5",
        "$search=x",
        "$orderby=displayName",
        "$select=shoeSize",
        "$filter=mail%20ne%20null",
        "$filter=startswith(shoeSize,'4')",
        "$filter=proxyAddresses/any(a:b%20eq%20'smtp:x@y')",
        "$filter=proxyAddresses/any(a:a%20ne%20'smtp:x@y')",
        "$filter=proxyAddresses/any(a%20eq%20'smtp:x@y')",
        "$skiptoken=forged",
        "$nonsense=1",
        "$top=1&$top=2x",
        "$filter=a&$filter=b",
    ] {
        let (status, answer) = s.get(&format!("/users?{query}")).await;
        assert_eq!(status, 400, "{query}: {answer}");
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
        assert!(answer["error"]["innerError"]["request-id"].is_string());
    }
    assert_eq!(code(&s.get("/me/messages").await.1), "BadRequest");
}

#[tokio::test]
async fn tenant_of_twenty_thousand_starts_quickly() {
    let start = std::time::Instant::now();
    let options = TenantOptions { mailboxes: 20_000, users_without_mailbox: 500, ..TenantOptions::default() };
    let s = TestTenant::new(options).await;
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
    let users = s.tenant.users();
    let names: HashSet<String> = users.iter().map(|user| user.user_principal_name.to_lowercase()).collect();
    let ids: HashSet<&String> = users.iter().map(|user| &user.id).collect();
    assert_eq!((names.len(), ids.len()), (20_500, 20_500));
    assert_eq!(s.tenant.mailboxes().len(), 20_000);
}

#[tokio::test]
async fn filter_takes_fifteen_clauses_and_no_range() {
    let s = TestTenant::small().await;
    let clauses = |number: usize| {
        let letters = ('a'..='z').take(number);
        let clauses: Vec<String> =
            letters.map(|letter| format!("startswith(userPrincipalName,'{letter}')")).collect();
        format!("/users?$top=999&$filter={}", encode(&clauses.join(" or ")))
    };
    let expected =
        s.tenant.users().into_iter().filter(|user| user.user_principal_name.as_str() < "p").count();
    let digits =
        s.all(&format!("/users?$filter={}", encode("startswith(userPrincipalName,'5')"))).await.len();
    assert_eq!(s.all(&clauses(15)).await.len(), expected - digits);
    let (status, refusal) = s.get(&clauses(16)).await;
    assert_eq!((status, code(&refusal)), (400, "Request_UnsupportedQuery"));
    for range in ["userPrincipalName ge 'b'", "userPrincipalName ge 'b' and userPrincipalName lt 'c'"] {
        let (status, refusal) = s.get(&format!("/users?$filter={}", encode(range))).await;
        assert_eq!((status, code(&refusal)), (400, "Request_UnsupportedQuery"), "{range}");
    }
}

#[tokio::test]
async fn users_are_counted_in_advanced_queries_only() {
    let s = TestTenant::small().await;
    let count = async |url: &str, level: &[(&str, &str)]| {
        let page = read(s.request_with(Method::GET, url, None, level).await).await.1;
        (page["@odata.count"].clone(), page["@odata.nextLink"].as_str().map(str::to_owned))
    };
    let eventual = [("ConsistencyLevel", "eventual")];
    let (all, next) = count("/users?$count=true&$top=10", &eventual).await;
    assert_eq!(all, 64);
    assert_eq!(count(&next.unwrap(), &eventual).await.0, Value::Null, "the first page only");
    assert_eq!(count("/users?$count=true&$top=1", &[]).await.0, Value::Null);
    let filter = encode("startswith(userPrincipalName,'m')");
    let (some, _) = count(&format!("/users?$count=true&$top=1&$filter={filter}"), &eventual).await;
    assert_eq!(some, s.all(&format!("/users?$filter={filter}")).await.len());
    s.tenant.faults().set_user_count(Some(7));
    assert_eq!(count("/users?$count=true&$top=1", &eventual).await.0, 7);
}

#[tokio::test]
async fn principal_names_begin_as_the_tenant_wants() {
    let starts = ["~", "É", "Zz"].map(str::to_owned);
    let s = TestTenant::new(TenantOptions { name_starts: starts.into(), ..TenantOptions::default() }).await;
    let names: Vec<String> = s.tenant.users().into_iter().map(|user| user.user_principal_name).collect();
    assert!(names[0].starts_with('~') && names[1].starts_with('É') && names[2].starts_with("Zz"));
    for (start, expected) in [("~", 18), ("é", 18), ("zz", 17), ("y", 0)] {
        let filter = encode(&format!("startswith(userPrincipalName,'{start}')"));
        assert_eq!(s.all(&format!("/users?$top=5&$filter={filter}")).await.len(), expected, "{start}");
    }
    assert_eq!(s.get(&format!("/users/{}", encode(&names[1]))).await.0, 200);
}
