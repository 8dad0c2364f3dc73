//! The one way through, for every call on every face. Nothing else runs a tool.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};

use crate::call::{Call, Running};
use crate::caller::Caller;
use crate::catalog::{Catalog, Entry};
use crate::effect::Effect;
use crate::envelope::{Envelope, Outcome, Reply};
use crate::error::{Error, ErrorKind, Result};
use crate::guard::{Decision, Ended, Guards, Intent, Work};
use crate::neutralise::Sanitised;
use crate::shape;
use crate::terms::Terms;
use crate::tool::{Done, Forward, Plan, Started};
use crate::view::View;

/// Runs calls: the catalog and the engines that guard it.
pub struct Dispatch {
    catalog: Arc<Catalog>,
    guards: Guards,
}

/// A call whose tool was found and whose arguments were read.
struct Ready {
    entry: Arc<Entry>,
    arguments: Value,
    /// The arguments without secrets, for policy, plan and record.
    kept: Arc<Value>,
    started: Box<dyn Started>,
    running: Arc<Running>,
}

/// What is known of a call by the time it ends, for the record.
struct Trace {
    caller: Caller,
    entry: Option<Arc<Entry>>,
    arguments: Option<Arc<Value>>,
}

impl Dispatch {
    /// Joins a catalog and its guards.
    pub fn new(catalog: Arc<Catalog>, guards: Guards) -> Self {
        Self { catalog, guards }
    }

    /// The tools.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The engines.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    /// The tools of a profile that the caller could ever call, in the order of the lists.
    pub fn listed<'a>(
        &'a self,
        caller: &'a Caller,
        profile: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Entry>> {
        self.catalog.listed(profile, |entry| self.guards.authority.permits(caller, entry))
    }

    /// Carries out a call. Every failure is an envelope; nothing is thrown past this point.
    pub fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let began = self.guards.clock.monotonic();
            let (request_id, surface, tool) = (call.request_id.clone(), call.surface, call.tool.clone());
            let is_attempt = call.attempt.is_some();
            let mut trace = Trace { caller: call.caller.clone(), entry: None, arguments: None };
            let result = self.carry_out(call, began, &mut trace).await;
            let reply =
                self.answer(result, &request_id, trace.entry.as_deref(), surface.is_mcp() && !is_attempt);
            self.guards.audit.outcome(
                &Intent {
                    request_id: &request_id,
                    tool: trace.entry.as_ref().map_or("", |entry| entry.facts.name),
                    caller: &trace.caller,
                    surface,
                    effect: trace.entry.as_ref().map(|entry| entry.facts.effect),
                    arguments: trace.arguments.as_deref(),
                },
                &Ended {
                    outcome: reply.1.envelope.error_kind().map_or("ok", ErrorKind::code),
                    took: self.guards.clock.monotonic().saturating_sub(began),
                    error: reply
                        .0
                        .map(|error| self.guards.redactor.redact(&format!("{tool}: {error}")).into_owned()),
                },
            );
            reply.1
        })
    }

    /// The steps, in the order in which they happen.
    async fn carry_out(&self, call: Call, began: Duration, trace: &mut Trace) -> Result<Done> {
        let Guards { authority, policy, rate, submission, audit, .. } = &self.guards;

        // Identify: with the rights of this moment, not those of the connection.
        let caller = match call.attempt {
            None => authority.refresh(&call.caller).await?,
            Some(_) => authority.restore(&call.caller.subject).await?,
        };
        trace.caller = caller.clone();

        // Find and validate.
        let Ready { entry, arguments, kept, mut started, running } =
            self.ready(Call { caller, ..call }, began, trace)?;

        // Authorise: this caller, this tool, these arguments.
        authority.authorise(&running.caller, &entry, started.needs(), &arguments)?;

        // Prepare: refuse early, seal secrets.
        started.prepare().await?;

        // Policy.
        let effect = started.effect();
        let decision = policy.decide(&running.caller, &entry, effect, &kept)?;
        if running.terms.dry_run {
            let plan = started.plan().await?.unwrap_or_default();
            return Ok(planned(&entry, effect, &decision, &kept, &plan));
        }

        // Rate: a place among the calls in flight; the attempts of tasks have their workers' places.
        let _permit = match running.attempt {
            None => Some(rate.admit(&running.caller, &entry, running.limit).await?),
            Some(_) => None,
        };

        // Record the intent of whatever changes something.
        if !effect.is_read() {
            audit
                .intent(&Intent {
                    request_id: &running.request_id,
                    tool: entry.facts.name,
                    caller: &running.caller,
                    surface: running.surface,
                    effect: Some(effect),
                    arguments: Some(&kept),
                })
                .await?;
        }

        // Run, here or as a task.
        let tool = entry.facts.name;
        let work = Work { entry, arguments: Arc::new(arguments), kept, started, running };
        AssertUnwindSafe(submission.submit(work))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Error::internal(format!("{tool} stopped with a panic"))))
    }

    /// Finds the tool and reads its arguments. A call that stands for another becomes that one here, so that the
    /// target's own effect, policy and rights decide.
    fn ready(&self, call: Call, began: Duration, trace: &mut Trace) -> Result<Ready> {
        let entry = Arc::clone(self.catalog.find(&call.tool)?);
        trace.entry = Some(Arc::clone(&entry));
        let mut arguments = entry.check(call.arguments)?;
        let terms = Terms::take(&entry, &mut arguments)?;
        let running = Arc::new(Running {
            tool: entry.facts.name,
            caller: call.caller,
            surface: call.surface,
            profile: call.profile,
            request_id: call.request_id,
            wants_view: call.wants_view,
            patience: call.patience,
            limit: terms.limit().unwrap_or(entry.facts.limit),
            terms,
            attempt: call.attempt,
            started: began,
            feedback: call.feedback,
            cancel: call.cancel,
            clock: Arc::clone(&self.guards.clock),
            submission: Arc::clone(&self.guards.submission),
        });
        let kept = Arc::new(shape::without_secrets(&arguments, &entry.schemas().input));
        trace.arguments = Some(Arc::clone(&kept));
        let started = entry.begin(arguments.clone(), Arc::clone(&running))?;
        match started.forward() {
            None => Ok(Ready { entry, arguments, kept, started, running }),
            Some(mut target) => {
                if running.terms.dry_run {
                    target.arguments.insert("dry_run".to_owned(), true.into());
                }
                self.forward(target, &entry, &running, trace)
            }
        }
    }

    fn forward(
        &self,
        target: Forward,
        from: &Arc<Entry>,
        running: &Arc<Running>,
        trace: &mut Trace,
    ) -> Result<Ready> {
        let entry = Arc::clone(self.catalog.find(&target.tool)?);
        if Arc::ptr_eq(&entry, from) {
            return Err(Error::invalid("name", "must name another tool"));
        }
        let call = Call {
            tool: target.tool,
            arguments: target.arguments,
            caller: running.caller.clone(),
            surface: running.surface,
            profile: running.profile.clone(),
            wants_view: running.wants_view,
            patience: running.patience,
            attempt: running.attempt.clone(),
            request_id: running.request_id.clone(),
            feedback: Arc::clone(&running.feedback),
            cancel: running.cancel.clone(),
        };
        self.ready(call, running.started, trace).map_err(|error| match error.kind() {
            ErrorKind::InvalidArgument => error.with("schema", entry.schemas().input.clone()),
            _ => error,
        })
    }

    /// Redact, neutralise, shape, and put into the envelope; texts are cut for models, never in what a task keeps. A
    /// bug's text is kept for the log.
    fn answer(
        &self,
        result: Result<Done>,
        request_id: &str,
        entry: Option<&Entry>,
        is_cut: bool,
    ) -> (Option<String>, Reply) {
        match result {
            Ok(mut done) => {
                let mut sanitised = done.sanitised;
                let redactor = &self.guards.redactor;
                if let Some(entry) = entry {
                    let schemas = entry.schemas();
                    let revealed = shape::take(&mut done.data, &schemas.reveals);
                    shape::clean(&mut done.data, redactor, &mut sanitised);
                    shape::put_back(&mut done.data, revealed);
                    if is_cut {
                        entry.cut_texts(&mut done.data);
                    }
                    if schemas.reveals.is_empty() {
                        done.view.map_text(&mut |text| {
                            shape::clean_text(text, redactor, &mut Sanitised::default());
                        });
                    }
                }
                let envelope = Envelope::Success { outcome: done.outcome, data: done.data, sanitised };
                (None, Reply { envelope, view: done.view })
            }
            Err(error) => {
                let logged = format!("{error:?}");
                let envelope = Envelope::Failure {
                    error: self.presentable(error, request_id),
                    at: self.guards.clock.now(),
                };
                (Some(logged), Reply { envelope, view: View::default() })
            }
        }
    }

    /// A failure without internals: a bug's own words stay in the log, every other text is cleaned.
    fn presentable(&self, error: Error, request_id: &str) -> Error {
        if error.kind() == ErrorKind::Internal {
            return Error::internal("the server failed; its log has the cause")
                .with("request_id", request_id);
        }
        error.map_text(|text| {
            shape::clean_text(text, &self.guards.redactor, &mut Sanitised::default());
        })
    }
}

/// The answer of a dry run.
fn planned(entry: &Entry, effect: Effect, decision: &Decision, arguments: &Value, plan: &Plan) -> Done {
    let data = json!({
        "dry_run": true,
        "tool": entry.facts.name,
        "effect": effect.name(),
        "decision": decision.decision,
        "rule": decision.rule,
        "arguments": arguments,
        "steps": plan.steps,
        "targets": plan.targets,
    });
    let view = View::of(&data);
    Done { data, outcome: Outcome::default(), view, sanitised: Sanitised::default() }
}
