//! An agent's day over MCP: three hosts, a full disk, a folder, a long command; and what it costs in calls and tokens.

use serde_json::{Value, json};

use super::{home, host};
use crate::harness::Pipe;
use crate::sshd::Sshd;

/// The most calls the story may take.
const MOST_CALLS: usize = 20;
/// The most tokens one answer may take: what agents.md calls usual.
const MOST_TOKENS: usize = 2_000;
/// The most tokens all answers together may take.
const MOST_TOKENS_IN_ALL: usize = 3_000;

/// What an agent sees: it calls, and every answer costs.
struct Agent {
    pipe: Pipe,
    costs: Vec<(String, usize)>,
}

impl Agent {
    #[track_caller]
    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.pipe.call(tool, arguments);
        // Clients show their model the text blocks; the structured content says the same once more.
        let blocks = result["content"].as_array().unwrap();
        let bytes: usize = blocks.iter().map(|block| block["text"].as_str().map_or(0, str::len)).sum();
        assert!(bytes > 0, "{tool}: {result}");
        self.costs.push((tool.to_owned(), bytes.div_ceil(4)));
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result["structuredContent"].clone()
    }
}

#[test]
fn an_agent_finds_the_full_disk_and_saves_what_is_on_it() {
    let servers = [
        Sshd::new().start(),
        Sshd::new()
            .with_full_disk("seq 1 20000 > app.log; mkdir old; echo 'the first entry' > 'old/app 1.log'")
            .start(),
        Sshd::new().start(),
    ];
    // Commands outlive the inline budget after a second, not after thirty.
    let home = home().with("MCP_SYNC_TIMEOUT_S", "1");
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    let mut agent = Agent { pipe, costs: Vec::new() };

    for (number, server) in servers.iter().enumerate() {
        let added = agent.call("server_add", &host(&format!("web{number}"), server));
        assert_eq!(added["status"], "created", "{added}");
    }

    let disks =
        agent.call("task_exec", &json!({"alias": "all", "cmd": "df -P /mnt | awk 'NR > 1 {print $5, $6}'"}));
    let groups = disks["data"]["groups"].as_array().unwrap_or_else(|| panic!("{disks}"));
    let full: Vec<&Value> = groups
        .iter()
        .filter(|group| group["stdout"].as_str().is_some_and(|out| out.starts_with("100% /mnt")))
        .collect();
    assert_eq!((full.len(), &full[0]["aliases"]), (1, &json!(["web1"])), "{disks}");

    let largest =
        agent.call("task_exec", &json!({"alias": "web1", "cmd": "du -ak /mnt | sort -rn | head -5"}));
    assert!(largest["data"]["stdout"].as_str().unwrap().contains("/mnt/logs/rest"), "{largest}");

    let saved = home.text_path("saved");
    let moved = agent.call(
        "task_transfer",
        &json!({"alias": "web1", "direction": "download", "local": saved, "remote": "/mnt/logs"}),
    );
    let moved = match moved["data"]["status"].as_str() {
        Some("running" | "pending") => {
            agent.call("task_wait", &json!({"id": moved["data"]["id"]}))["data"]["result"].clone()
        }
        _ => moved["data"].clone(),
    };
    assert_eq!(moved["files"], 3, "{moved}");
    let first = std::fs::read_to_string(home.path("saved/old/app 1.log"));
    let first = first.or_else(|_| std::fs::read_to_string(home.path("saved/logs/old/app 1.log"))).unwrap();
    assert_eq!(first, "the first entry\n");

    let long =
        "for i in $(seq 1 40); do echo \"row $i\"; sleep 0.1; done; echo 'ERROR: 17 rows lost'; seq 1 500";
    let begun = agent.call("task_exec", &json!({"alias": "web1", "cmd": long}));
    assert_eq!(begun["data"]["status"], "running", "{begun}");
    let id = begun["data"]["id"].clone();
    let ended = agent.call("task_wait", &json!({"id": id}));
    assert_eq!(ended["data"]["status"], "completed", "{ended}");
    let found = agent.call("task_output", &json!({"id": id, "grep": "ERROR"}));
    assert_eq!(found["data"]["lines"], json!(["ERROR: 17 rows lost"]), "{found}");
    assert_eq!(found["data"]["total_lines"], 541, "{found}");

    let endless = agent.call("task_exec", &json!({"alias": "web2", "cmd": "sleep 7201.11"}));
    assert_eq!(endless["data"]["status"], "running", "{endless}");
    agent.call("task_cancel", &json!({"id": endless["data"]["id"]}));
    let stopped = agent.call("task_wait", &json!({"id": endless["data"]["id"], "timeout": 20}));
    assert_eq!(
        (&stopped["data"]["status"], &stopped["data"]["stopped"]),
        (&json!("cancelled"), &json!("verified")),
        "{stopped}"
    );
    assert!(crate::sshd::processes_with("7201.11").is_empty(), "told to be verified");

    let in_all: usize = agent.costs.iter().map(|(_, tokens)| tokens).sum();
    println!("{} calls, {in_all} tokens: {:?}", agent.costs.len(), agent.costs);
    assert!(agent.costs.len() <= MOST_CALLS, "{} calls", agent.costs.len());
    assert!(agent.costs.iter().all(|(_, tokens)| *tokens <= MOST_TOKENS), "{:?}", agent.costs);
    assert!(in_all <= MOST_TOKENS_IN_ALL, "{in_all} tokens: {:?}", agent.costs);
}
