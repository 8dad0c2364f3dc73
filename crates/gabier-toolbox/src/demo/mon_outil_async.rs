//! The smallest tool that takes its time.

use std::time::Duration;

use gabier_tool::{Context, Effect, Mode, Permission, Profile, Result, Retry, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Services;

/// How long one iteration takes.
const ITERATION: Duration = Duration::from_secs(2);

/// Demo: work in the background, 2 s an iteration.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("x-annotations" = {"authRequiredHint": true, "streamingHint": false}))]
pub(super) struct MonOutilAsync {
    /// What it is about.
    #[schemars(length(min = 1, max = 10_000))]
    parametre_essentiel: String,
    /// Iterations.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    nombre_iterations: u32,
}

fn one() -> u32 {
    1
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Travail {
    /// That it was done.
    #[serde(rename = "messageDeFin")]
    message_de_fin: String,
    /// How many iterations there were.
    #[serde(rename = "elementsTraites")]
    elements_traites: u32,
    /// What came of them.
    #[serde(rename = "donneesResultantes")]
    donnees_resultantes: Value,
}

impl Tool<Services> for MonOutilAsync {
    const NAME: &'static str = "monOutilAsync";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Write;
    const MODE: Mode = Mode::Background;
    const PROFILE: Profile = Profile::Core;
    const RETRY: Retry = super::THRICE;
    const LIMIT: Duration = Duration::from_hours(6);
    const TITLE: &'static str = "Mon outil asynchrone";
    const KEYWORDS: &'static str = "example test background exemple démonstration tâche de fond";
    const QUEUED: &'static str =
        "Tâche {id} (Job ID: {id}) pour 'monOutilAsync' mise en file d'attente avec succès.";
    type Output = Travail;

    async fn run(self, ctx: &Context<Services>) -> Result<Travail> {
        let total = f64::from(self.nombre_iterations);
        for done in 1..=self.nombre_iterations {
            ctx.clock().sleep(ITERATION).await;
            ctx.progress(f64::from(done), Some(total), Some(&format!("itération {done}")));
        }
        Ok(Travail {
            message_de_fin: format!("Traitement asynchrone terminé pour '{}'.", self.parametre_essentiel),
            elements_traites: self.nombre_iterations,
            donnees_resultantes: serde_json::json!({"parametreEssentiel": self.parametre_essentiel}),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::testing::call_on;

    #[tokio::test]
    async fn every_iteration_counts() {
        let services = Services::open(&Settings::default(), None).unwrap();
        let told =
            call_on::<MonOutilAsync>(services, r#"{"parametreEssentiel": "x", "nombreIterations": 3}"#).await;
        let expected = r#"{"messageDeFin":"Traitement asynchrone terminé pour 'x'.","elementsTraites":3,"donneesResultantes":{"parametreEssentiel":"x"}}"#;
        assert_eq!(told, expected);
    }
}
