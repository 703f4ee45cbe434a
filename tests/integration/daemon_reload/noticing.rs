//! How a change of the file is noticed.

use super::*;

/// Puts `text` where Kubernetes would: a new directory, to which `..data` leads from then on.
fn mount(volume: &Path, version: &str, text: &str) {
    fs::create_dir(volume.join(version)).unwrap();
    fs::write(volume.join(version).join("app.config"), text).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[tokio::test]
async fn kubernetes_config_update_is_reloaded_automatically() {
    let deployment = Deployment::new().await;
    let volume = deployment.directory().join("volume");
    fs::create_dir(&volume).unwrap();
    mount(&volume, "..first", &deployment.app_config(&[], &[("client_secret", "an-old-one")]));
    symlink("..data/app.config", volume.join("app.config")).unwrap();
    let file = volume.join("app.config");
    let arguments = ["run", "-r", "--config-file", file.to_str().unwrap()];
    let mut daemon = Daemon::spawn_in(&[("APP_HOST_CONTAINER", "1")], &arguments);
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    let mut running = Running { deployment, soar, file, daemon };
    assert_eq!(running.reply().await.message_type, 1);
    mount(&volume, "..second", &running.deployment.app_config(&[], &[]));
    fs::remove_dir_all(volume.join("..first")).unwrap();
    running.daemon.logged("in force for the calls that begin from now on: Graph").await;
    running.works().await;
}

#[tokio::test]
async fn config_changed_during_startup_retries_is_used() {
    let deployment = Deployment::new().await;
    deployment.sandbox.soar.rest.fail_next("/session", usize::MAX, Failure::Status(503));
    let text = deployment.app_config(&[("port", "1")], &[]);
    let file = deployment.write("app.config", &text);
    let mut daemon = Daemon::spawn(&["run", "--config-file", file.to_str().unwrap()]);
    daemon.logged("signing in to SOAR is tried again").await;
    deployment.sandbox.soar.rest.heal();
    fs::write(&file, deployment.app_config(&[], &[])).unwrap();
    daemon.signal("HUP").await;
    daemon.subscribed().await;
    let soar = deployment.caller().await;
    Running { deployment, soar, file, daemon }.works().await;
}

#[tokio::test]
async fn without_a_change_sighup_says_so() {
    let mut running = Running::new().await;
    running.hang_up("no setting has changed").await;
    running.daemon.logged(SAME_CONNECTION).await;
    running.works().await;
    assert_eq!(running.logins().len(), 1);
}
