// BullMQ on Node under measurement: `node bullmq.mjs REDIS_PORT`. One command of JSON per line on stdin, one answer per
// line on stdout. What is timed is timed here, within one process, as in the program it is compared with.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// BullMQ is installed for the end-to-end tests by e2e/setup.sh.
const { Queue, Worker } = createRequire(new URL("../../e2e/bullmq/", import.meta.url))("bullmq");

const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
let queue;
const text = "x".repeat(150);
let next = 0;
const data = () => ({ toolName: "noop", params: { number: next++, text } });
const seconds = (begin) => (performance.now() - begin) / 1000;

// Adds jobs, so many at once.
async function addAll(number, atOnce) {
  let left = number;
  const lane = async () => {
    while (left-- > 0) await queue.add("noop", data());
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

// A worker that has ended so many jobs when `done` resolves.
function worker(concurrency, number, onStart = () => {}) {
  let ended = 0;
  let tell;
  const done = new Promise((resolve) => (tell = resolve));
  const worker = new Worker(queue.name, async () => (onStart(), { ok: true }), { connection, concurrency });
  worker.on("error", () => {});
  worker.on("completed", () => ++ended === number && tell());
  return { worker, done };
}

const commands = {
  async open({ name }) {
    queue = new Queue(name, { connection });
    await queue.waitUntilReady();
    return 0;
  },
  async add({ number, at_once }) {
    const begin = performance.now();
    await addAll(number, at_once);
    return number / seconds(begin);
  },
  async drain({ number, slots }) {
    const begin = performance.now();
    const { worker: running, done } = worker(slots, number);
    await done;
    const rate = number / seconds(begin);
    await running.close();
    return rate;
  },
  async flow({ number, at_once, slots }) {
    const { worker: running, done } = worker(slots, number);
    await running.waitUntilReady();
    const begin = performance.now();
    await addAll(number, at_once);
    await done;
    const rate = number / seconds(begin);
    await running.close();
    return rate;
  },
  async latencies({ number }) {
    let started;
    const { worker: running } = worker(1, Infinity, () => started(performance.now()));
    await running.waitUntilReady();
    const found = [];
    for (let index = 0; index < number; index++) {
      const start = new Promise((resolve) => (started = resolve));
      const begin = performance.now();
      await queue.add("noop", data());
      found.push((await start) - begin);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await running.close();
    return found;
  },
  async close() {
    await queue.obliterate({ force: true });
    await queue.close();
    return 0;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...what } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: await commands[command](what) };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
