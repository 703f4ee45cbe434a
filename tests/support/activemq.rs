//! A real ActiveMQ of the test's own: Debian's package, run in a temporary directory on a free loopback port.
//!
//! Its messages are stored, so that they outlive [`ActiveMq::kill`]. It ends with the test, however that ends: a
//! shell next to it waits for the pipe that only the test's process holds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::ports::free_port;
use super::tls::Authority;

/// The user whose queues are `actions.>`, `acks.>` and `test.>`.
pub(crate) const LOGIN: (&str, &str) = ("soar", "secret of soar");

/// Where the broker puts what it gives up delivering.
pub(crate) const DEAD_LETTERS: &str = "ActiveMQ.DLQ";

/// The user with all permissions, and the only one who may use `forbidden.>` and read [`DEAD_LETTERS`].
pub(crate) const ADMIN: (&str, &str) = ("admin", "secret of admin");

const JARS: [&str; 2] = ["/usr/share/activemq/lib", "/usr/share/activemq/lib/optional"];

/// What TLS the broker speaks. On Java 17 with TLS 1.3 it loses the CONNECT of about one connection in twenty.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tls {
    V1_2,
    V1_3,
}

/// How much of the machine the broker takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Setup {
    /// Little, for tests that run next to others: it starts fast, and its journal has small files.
    Small,
    /// The memory and the journal of ActiveMQ as it is delivered (`bin/env` and `conf/activemq.xml`).
    AsDelivered,
}

impl Setup {
    /// The arguments of Java.
    fn java(self) -> &'static [&'static str] {
        match self {
            Self::Small => &["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"],
            Self::AsDelivered => &["-Xms64m", "-Xmx1g"],
        }
    }

    /// The attributes of KahaDB.
    fn journal(self) -> &'static str {
        match self {
            Self::Small => r#" journalMaxFileLength="4mb""#,
            Self::AsDelivered => "",
        }
    }

    /// The most memory that messages take.
    fn memory(self) -> &'static str {
        match self {
            Self::Small => r#"limit="64 mb""#,
            Self::AsDelivered => r#"percentOfJvmHeap="70""#,
        }
    }
}

pub(crate) struct ActiveMq {
    directory: TempDir,
    authority: Authority,
    port: u16,
    tls: Tls,
    setup: Setup,
    process: Option<Child>,
    starts: u32,
}

/// The broker of all tests of a file that run at the same time; for those that do it no harm.
pub(crate) fn shared() -> Arc<ActiveMq> {
    static SHARED: Mutex<Weak<ActiveMq>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let broker = Arc::new(ActiveMq::start(Tls::V1_2));
        *shared = Arc::downgrade(&broker);
        broker
    })
}

impl ActiveMq {
    /// Starts a broker and waits until it is ready.
    pub(crate) fn start(tls: Tls) -> Self {
        Self::start_with(tls, Setup::Small)
    }

    /// Starts a broker that takes so much of the machine.
    pub(crate) fn start_with(tls: Tls, setup: Setup) -> Self {
        let authority = Authority::new();
        let directory = tempfile::tempdir().unwrap();
        write_keystore(&authority, directory.path());
        fs::write(directory.path().join("log4j.properties"), LOG).unwrap();
        let mut broker = Self { directory, authority, port: 0, tls, setup, process: None, starts: 0 };
        // Another program may take the port between our look and the broker's: then with another.
        for _ in 0..5 {
            broker.port = free_port();
            if broker.run() {
                return broker;
            }
        }
        panic!("ActiveMQ does not start:\n{}", broker.log());
    }

    /// The port for STOMP over TLS, on `localhost`.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The file of the authority that signed its certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.authority.file()
    }

    /// The authority that signed its certificate.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The number of its process, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            end(process);
        }
    }

    /// Starts it again, with the same port, certificate and stored messages.
    pub(crate) fn restart(&mut self) {
        self.kill();
        assert!(self.run(), "ActiveMQ does not start again:\n{}", self.log());
    }

    /// What it logged since it was started last.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join(format!("broker-{}.log", self.starts))
    }

    /// Starts the process; false if it ended instead of becoming ready.
    fn run(&mut self) -> bool {
        self.starts += 1;
        let home = self.directory.path();
        fs::write(home.join("activemq.xml"), configuration(self.port, self.tls, self.setup)).unwrap();
        let log = File::create(self.log_file()).unwrap();
        // The shell becomes Java; the one in the background ends it when the pipe does.
        let mut process = Command::new("sh")
            .arg("-c")
            .arg(r#"exec 3<&0; (cat <&3 >/dev/null 2>&1; kill -9 $$ 2>/dev/null) & exec java "$@" 3<&- </dev/null"#)
            .arg("activemq")
            .args(self.setup.java())
            .arg(format!("-Dactivemq.home={}", home.display()))
            .arg(format!("-Dactivemq.base={}", home.display()))
            .arg(format!("-Djava.io.tmpdir={}", home.display()))
            .arg(format!("-Dlog4j.configuration=file:{}", home.join("log4j.properties").display()))
            .args(["-cp", &class_path(), "org.apache.activemq.console.Main", "start"])
            .arg(format!("xbean:file:{}", home.join("activemq.xml").display()))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("sh can be run");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let log = self.log();
            if log.contains("Connector stomp started") {
                self.process = Some(process);
                return true;
            }
            let ended = process.try_wait().unwrap().is_some();
            if ended || log.contains("Address already in use") || Instant::now() > deadline {
                end(process);
                return false;
            }
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for ActiveMq {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Closes the pipe, on which the shell next to it sends SIGKILL, and waits for the end. The number of the process
/// stays its own until then, so the signal hits no other process.
fn end(mut process: Child) {
    drop(process.stdin.take());
    process.wait().expect("the broker ends");
}

fn class_path() -> String {
    let mut jars = Vec::new();
    for directory in JARS {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        jars.extend(
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|e| e == "jar")),
        );
    }
    let complete =
        jars.iter().any(|jar| jar.ends_with("activemq-stomp.jar")) && have("java") && have("openssl");
    assert!(complete, "these tests need a real ActiveMQ: apt-get install activemq openssl");
    jars.iter().map(|jar| jar.display().to_string()).collect::<Vec<_>>().join(":")
}

fn have(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(program).is_file()))
}

/// Java reads keys from PKCS #12.
fn write_keystore(authority: &Authority, directory: &Path) {
    let identity = authority.vouch_for(&["localhost", "127.0.0.1"]);
    let pem = directory.join("broker.pem");
    fs::write(&pem, identity.certificate + &identity.key).unwrap();
    let status = Command::new("openssl")
        .args(["pkcs12", "-export", "-name", "broker", "-passout", "pass:changeit", "-in"])
        .arg(&pem)
        .arg("-out")
        .arg(directory.join("broker.p12"))
        .status()
        .expect("openssl is there; if not: apt-get install activemq openssl");
    assert!(status.success(), "openssl cannot make a key store");
}

fn configuration(port: u16, tls: Tls, setup: Setup) -> String {
    let (journal, memory) = (setup.journal(), setup.memory());
    let version = match tls {
        Tls::V1_2 => "TLSv1.2",
        Tls::V1_3 => "TLSv1.3",
    };
    let ((login, passcode), (admin, admin_passcode)) = (LOGIN, ADMIN);
    format!(
        r#"<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <bean class="org.springframework.beans.factory.config.PropertyPlaceholderConfigurer"/>
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="test" useJmx="false"
          advisorySupport="false" dataDirectory="${{activemq.base}}/data">
    <persistenceAdapter>
      <kahaDB directory="${{activemq.base}}/data/kahadb"{journal}/>
    </persistenceAdapter>
    <plugins>
      <simpleAuthenticationPlugin>
        <users>
          <authenticationUser username="{login}" password="{passcode}" groups="users"/>
          <authenticationUser username="{admin}" password="{admin_passcode}" groups="users,admins"/>
        </users>
      </simpleAuthenticationPlugin>
      <authorizationPlugin>
        <map>
          <authorizationMap>
            <authorizationEntries>
              <authorizationEntry queue="actions.>" read="users" write="users" admin="users"/>
              <authorizationEntry queue="acks.>" read="users" write="users" admin="users"/>
              <authorizationEntry queue="test.>" read="users" write="users" admin="users"/>
              <authorizationEntry queue="ActiveMQ.DLQ" read="admins" write="admins" admin="admins"/>
              <authorizationEntry queue="forbidden.>" read="admins" write="admins" admin="admins"/>
              <authorizationEntry topic=">" read="users" write="users" admin="users"/>
            </authorizationEntries>
          </authorizationMap>
        </map>
      </authorizationPlugin>
    </plugins>
    <sslContext>
      <sslContext keyStore="file:${{activemq.base}}/broker.p12" keyStorePassword="changeit" keyStoreType="PKCS12"/>
    </sslContext>
    <systemUsage>
      <systemUsage>
        <memoryUsage><memoryUsage {memory}/></memoryUsage>
        <storeUsage><storeUsage limit="512 mb"/></storeUsage>
        <tempUsage><tempUsage limit="64 mb"/></tempUsage>
      </systemUsage>
    </systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp+ssl://127.0.0.1:{port}?transport.enabledProtocols={version}"/>
    </transportConnectors>
  </broker>
</beans>
"#
    )
}

const LOG: &str = "log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{HH:mm:ss,SSS} %-5p %c{1} %m%n
";
