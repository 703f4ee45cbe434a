//! The unit and the documents name the same limits of memory.

use std::fs;

use crate::root;

#[test]
fn unit_and_documents_name_one_memory_limit() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let unit = read("deploy/fn-exchange-online.service");
    assert!(unit.lines().any(|line| line == "MemoryMax=2G"));
    assert!(unit.lines().any(|line| line == "MemoryHigh=1536M"));
    for document in ["docs/limits.md", "docs/systemd.md"] {
        let text = read(document);
        assert!(text.contains("2 GiB") && text.contains("1.5 GiB"), "{document}");
    }
    assert!(read("docs/apphost.md").contains("--limits=memory=2Gi"));
}
