//! `webhook verify`: whether a body is what the owner of the secret sent.

use clap::{Arg, ArgAction, ArgMatches, Command};
use gabier_task::webhook;
use gabier_term::Sources;
use gabier_tool::{Error, Result, Secret};
use serde_json::json;

use crate::commands::{Report, Site};

pub(super) fn command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).allow_hyphen_values(true).help(help)
    };
    Command::new("verify")
        .about(
            "Tell whether the body on standard input is what the owner of the secret sent; exit 1 when not",
        )
        .arg(text("secret", "SOURCE", "The secret: env:NAME, file:PATH or prompt").required(true))
        .arg(
            text("signature", "TEXT", "What the header webhook-signature or X-Webhook-Signature-256 holds")
                .required(true),
        )
        .arg(text("id", "ID", "What the header webhook-id holds").requires("timestamp"))
        .arg(text("timestamp", "SECONDS", "What the header webhook-timestamp holds").requires("id"))
        .arg(
            Arg::new("any-time")
                .long("any-time")
                .action(ArgAction::SetTrue)
                .requires("timestamp")
                .help("Take a timestamp that is more than 5 minutes from now"),
        )
}

pub(super) fn run(site: &Site<'_>, given: &ArgMatches) -> Result<Report> {
    let word = |name: &str| given.get_one::<String>(name).map(String::as_str);
    let source = word("secret").unwrap_or_default();
    if source == "-" {
        return Err(Error::invalid(
            "secret",
            "standard input is the body; give env:NAME, file:PATH or prompt",
        ));
    }
    let sources = Sources::new(&site.terminal, &site.globals);
    let secret = Secret::from(sources.secret("secret", source)?);
    // What is no text was not sent by us: a body is JSON.
    let body = sources.text("body").ok();
    let signature = word("signature").unwrap_or_default();
    let is_valid = body.is_some_and(|body| match (word("id"), word("timestamp")) {
        (Some(id), Some(timestamp)) => {
            let now = site.clock().now().timestamp();
            let now = if given.get_flag("any-time") { timestamp.parse().unwrap_or(now) } else { now };
            webhook::verify(&secret, id, timestamp, signature, body.as_bytes(), now)
        }
        _ => webhook::verify_legacy(&secret, signature, body.as_bytes()),
    });
    Ok(Report::data(json!({"valid": is_valid})).with_exit(u8::from(!is_valid)))
}
