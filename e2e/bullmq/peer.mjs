// BullMQ on Node, told what to do in one line per command on stdin; answers in one line of JSON each on stdout.
import { createInterface } from "node:readline";
import { Queue, Worker } from "bullmq";

const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
const queues = new Map();
const queue = (name) => queues.get(name) ?? queues.set(name, new Queue(name, { connection })).get(name);
const workers = [];

const commands = {
  // Adds a job as producers of the async-tasks queue do.
  async add({ name, job, data, options }) {
    const added = await queue(name).add(job, data, options);
    return { id: added.id };
  },
  async add_many({ name, job, count, first }) {
    const jobs = Array.from({ length: count }, (_, number) => ({
      name: job,
      data: { toolName: job, params: { number: first + number } },
      opts: { jobId: `node-job-${first + number}` },
    }));
    await queue(name).addBulk(jobs);
    return {};
  },
  // A worker that gives back what it was given; it says which jobs it ran when it is stopped.
  async work({ name, concurrency, fail, milliseconds = 0 }) {
    const ran = [];
    const run = async (job) => {
      ran.push(job.id);
      if (milliseconds) await new Promise((done) => setTimeout(done, milliseconds));
      if (fail) throw new Error("it was told to fail");
      await job.updateProgress(50);
      return { echo: job.data.params, name: job.name };
    };
    const worker = new Worker(name, run, { connection, concurrency });
    worker.on("error", () => {});
    workers.push({ worker, ran });
    await worker.waitUntilReady();
    return {};
  },
  async stop() {
    const ran = [];
    for (const entry of workers.splice(0)) {
      await entry.worker.close();
      ran.push(...entry.ran);
    }
    return { ran };
  },
  async counts({ name }) {
    return queue(name).getJobCounts();
  },
  async jobs({ name, states }) {
    const jobs = await queue(name).getJobs(states, 0, 100, true);
    return jobs.map((job) => job.toJSON());
  },
  async state({ name, id }) {
    return { state: await queue(name).getJobState(id) };
  },
  async logs({ name, id }) {
    return queue(name).getJobLogs(id);
  },
  async remove({ name, id }) {
    return { removed: await queue(name).remove(id) };
  },
  async paused({ name }) {
    return { paused: await queue(name).isPaused() };
  },
  // What Bull Board's page of a queue is made of.
  async board({ name }) {
    const { BullMQAdapter } = await import("@bull-board/api/bullMQAdapter");
    const adapter = new BullMQAdapter(queue(name));
    const statuses = adapter.getJobStatuses();
    const jobs = await adapter.getJobs(statuses, 0, 100);
    return {
      statuses,
      counts: await adapter.getJobCounts(),
      paused: await adapter.isPaused(),
      info: (await adapter.getRedisInfo()).includes("redis_version"),
      jobs: jobs.map((job) => ({ id: job.id, name: job.name, data: job.data, failedReason: job.failedReason })),
    };
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
await commands.stop();
for (const each of queues.values()) await each.close();
process.exit(0);
