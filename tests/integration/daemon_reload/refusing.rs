//! What happens to a configuration that cannot be used.

use super::*;

const REFUSED: &str = "the configuration cannot be used, the one before stays in force";

#[tokio::test]
async fn invalid_config_is_rejected_and_logged_once() {
    let mut running = Running::new().await;
    let secret = "S3cret-that-stays-secret";
    running.write(
        &[("port", "many"), ("num_workers", "0")],
        &[("client_secret", secret), ("max_messages", "none")],
    );
    running.daemon.logged(REFUSED).await;
    running.works().await;
    let log = running.daemon.log();
    let line = log.lines().find(|line| line.contains(REFUSED)).unwrap();
    for words in ["[resilient] port", "[resilient] num_workers", "[fn_exchange_online] max_messages"] {
        assert!(line.contains(words), "{words} is not in {line}");
    }
    assert!(!log.contains(secret), "{log}");
    running.write(&[], &[]);
    running.daemon.logged("no setting has changed").await;
    assert_eq!(running.daemon.count_in_log(REFUSED), 1, "{}", running.daemon.log());
    running.works().await;
}

#[tokio::test]
async fn unusable_file_rejects_all_config_changes() {
    let mut running = Running::new().await;
    let nowhere = "/nowhere/ca.pem";
    for (resilient, app) in [
        (vec![("cafile", nowhere)], vec![]),
        (vec![("stomp_cafile", nowhere)], vec![]),
        (vec![], vec![("verify", nowhere)]),
        (vec![("logdir", "/nowhere"), ("logfile", "app.log")], vec![]),
    ] {
        let app: Vec<_> = app.into_iter().chain([("client_secret", "wrong")]).collect();
        running.write(&resilient, &app);
        running.hang_up(REFUSED).await;
        running.works().await;
    }
    fs::remove_file(&running.file).unwrap();
    running.hang_up(REFUSED).await;
    running.works().await;
    assert_eq!(running.logins().len(), 1);
}

#[tokio::test]
async fn refused_login_keeps_old_connection_until_corrected() {
    let mut running = Running::new().await;
    running.write(&[("api_key_secret", "wrong")], &[]);
    running.hang_up("the one before stays in service").await;
    running.works().await;
    running.write_text(&running.of_account());
    running.deployment.sandbox.soar.broker.refuse_logins(Some("User name [x] or password is invalid."));
    running.hang_up("the broker refused the login").await;
    running.works().await;
    running.deployment.sandbox.soar.broker.refuse_logins(None);
    running.hang_up(NEW_CONNECTION).await;
    running.works().await;
    running.consumers_are(1).await;
}
