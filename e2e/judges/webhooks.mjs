// The official verifier of Standard Webhooks: one request a line on standard input, its verdict on standard output.
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  const webhook = secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(secret, { format: "raw" });
  let verdict = "accepted";
  try {
    webhook.verify(body, headers);
  } catch (error) {
    verdict = error.message;
  }
  console.log(JSON.stringify(verdict));
}
