//! The tools of this process, through the one dispatch.

use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use gabier_term::{About, Backend, Cli, Local, Parsed};
use gabier_tool::guard::{AllowAll, Authority, Credential, Inline, Origin, Unlimited, Unrecorded};
use gabier_tool::{
    Caller, CallerKind, Catalog, Clock as _, Context, Dispatch, Effect, Entry, Guards, Permission,
    Permissions, Redactor, Resource, Result, Surface, Tool, ToolDef, Toolset,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fixture::{StoppedClock, argv, terminal};

/// Adds two numbers.
#[derive(Debug, Deserialize, JsonSchema)]
struct NumberAdd {
    /// The first.
    left: u64,
    /// The second.
    #[serde(default)]
    right: u64,
}

/// The sum.
#[derive(Debug, Serialize, JsonSchema)]
struct Sum {
    /// Left and right together.
    sum: u64,
}

impl Tool<()> for NumberAdd {
    const NAME: &'static str = "number_add";
    const EFFECT: Effect = Effect::Read;
    type Output = Sum;

    async fn run(self, _: &Context<()>) -> Result<Sum> {
        Ok(Sum { sum: self.left.saturating_add(self.right) })
    }
}

/// Adds numbers for administrators.
#[derive(Debug, Deserialize, JsonSchema)]
struct NumberHide {}

impl Tool<()> for NumberHide {
    const NAME: &'static str = "number_hide";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Admin;
    type Output = Sum;

    async fn run(self, _: &Context<()>) -> Result<Sum> {
        Ok(Sum { sum: 0 })
    }
}

const TOOLS: &[ToolDef<()>] = &[ToolDef::of::<NumberAdd>(), ToolDef::of::<NumberHide>()];

/// Lets a caller do what its rights say.
struct Gate;

impl Authority for Gate {
    fn identify<'a>(&'a self, _: Credential<'a>, _: Origin) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller())))
    }

    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller.clone())))
    }

    fn permits(&self, caller: &Caller, entry: &Entry) -> bool {
        caller.permissions.has_any(entry.facts.needs)
    }

    fn authorise(&self, _: &Caller, _: &Entry, _: &[Permission], _: &Value) -> Result<()> {
        Ok(())
    }
}

fn caller() -> Caller {
    Caller {
        subject: "user:1".into(),
        name: "test".into(),
        kind: CallerKind::OsUser,
        permissions: Permissions::NONE.with(Permission::Read),
        resources: [Resource::All].into(),
        tools: None,
        profile: None,
        address: None,
        authenticated_at: StoppedClock.now(),
    }
}

fn local() -> Local {
    let mut catalog = Catalog::new();
    catalog.bind(Toolset { name: "number", tools: TOOLS }, &Arc::new(()));
    let guards = Guards {
        authority: Arc::new(Gate),
        policy: Arc::new(AllowAll),
        rate: Arc::new(Unlimited),
        submission: Arc::new(Inline),
        audit: Arc::new(Unrecorded),
        redactor: Arc::new(Redactor::new()),
        clock: Arc::new(StoppedClock),
    };
    Local::new(Arc::new(Dispatch::new(Arc::new(catalog), guards)), caller(), Surface::Cli)
}

/// Words in; exit code, stdout and stderr out.
async fn check(words: &[&str], code: u8, out: &str, err: &str) {
    let local = local();
    let about = About { name: "gab".to_owned(), version: "1".to_owned(), summary: "Tests.".to_owned() };
    let cli = Cli::new(about, local.tools().await.unwrap());
    let (terminal, captured) = terminal("", &[]);
    let exit = match cli.parse(&argv(words), &terminal) {
        Parsed::Tool { name, arguments, globals } => {
            cli.call(&terminal, &local, (&name, arguments), &globals).await
        }
        Parsed::Failed { error, globals } => terminal.fail(error, &globals),
        other => panic!("{other:?}"),
    };
    assert_eq!((exit, captured.out().as_str(), captured.err().as_str()), (code, out, err), "{words:?}");
}

#[tokio::test]
async fn a_rust_tool_is_a_command_from_its_schema_alone() {
    check(&["number", "add", "2", "--right", "3"], 0, "sum  5\n", "").await;
    check(
        &["number-add", "18446744073709551615", "--json"],
        0,
        "{\"status\":\"ok\",\"data\":{\"sum\":18446744073709551615}}\n",
        "",
    )
    .await;
    check(&["number", "add", "--", "-2"], 2, "", "error: --left: must be at least 0\n").await;
    check(&["number", "add", "x"], 2, "", "error: --left: must be a number\n").await;
}

#[tokio::test]
async fn tools_beyond_the_callers_rights_are_not_listed() {
    let names: Vec<String> = local().tools().await.unwrap().into_iter().map(|tool| tool.name).collect();
    assert_eq!(names, ["number_add"]);
}
