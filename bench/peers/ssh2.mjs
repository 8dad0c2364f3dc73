// The Node peer of `gabier-bench ssh`: ssh2 as its documentation shows it. Commands come as lines of JSON.
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import ssh2 from "ssh2";

const AT_ONCE = 64;
let clients = [];
let files;

const connect = (options) =>
  new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on("ready", () => resolve(client)).on("error", reject).connect(options);
  });

const exec = (client) =>
  new Promise((resolve, reject) => {
    client.exec("true", (error, stream) => {
      if (error) return reject(error);
      stream.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))));
      stream.resume().stderr.resume();
    });
  });

// Works through a list with so many at a time.
const each = async (list, atOnce, work) => {
  let next = 0;
  const worker = async () => {
    while (next < list.length) await work(list[next++]);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
};

const call = (name, ...words) =>
  new Promise((resolve, reject) => files[name](...words, (error, value) => (error ? reject(error) : resolve(value))));

const sftp = async () => {
  files ??= await new Promise((resolve, reject) =>
    clients[0].sftp((error, session) => (error ? reject(error) : resolve(session))),
  );
};

const commands = {
  async open({ port, user, key, connections }) {
    const options = { host: "127.0.0.1", port, username: user, privateKey: fs.readFileSync(key) };
    for (let made = 0; made < connections; made++) clients.push(await connect(options));
    return true;
  },

  async exec({ number }) {
    const times = [];
    for (let done = 0; done < number; done++) {
      const begin = performance.now();
      await exec(clients[0]);
      times.push(performance.now() - begin);
    }
    return times;
  },

  async burst({ number, channels }) {
    const free = clients.flatMap((client) => Array(channels).fill(client));
    let left = number;
    const begin = performance.now();
    await Promise.all(
      free.map(async (client) => {
        while (left-- > 0) await exec(client);
      }),
    );
    return number / ((performance.now() - begin) / 1e3);
  },

  async put({ source, target, tree }) {
    await sftp();
    if (!tree) return (await call("fastPut", source, target), true);
    const entries = fs.readdirSync(source, { recursive: true, withFileTypes: true });
    const there = (entry) => path.join(target, path.relative(source, path.join(entry.parentPath, entry.name)));
    await call("mkdir", target);
    for (const entry of entries) if (entry.isDirectory()) await call("mkdir", there(entry));
    const plain = entries.filter((entry) => entry.isFile());
    await each(plain, AT_ONCE, (entry) => call("fastPut", path.join(entry.parentPath, entry.name), there(entry)));
    return true;
  },

  async get({ source, target, tree }) {
    await sftp();
    if (!tree) return (await call("fastGet", source, target), true);
    const plain = [];
    const walk = async (from, to) => {
      fs.mkdirSync(to);
      for (const { filename, attrs } of await call("readdir", from)) {
        const pair = [path.join(from, filename), path.join(to, filename)];
        if (attrs.isDirectory()) await walk(...pair);
        else plain.push(pair);
      }
    };
    await walk(source, target);
    await each(plain, AT_ONCE, (pair) => call("fastGet", ...pair));
    return true;
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = { ok: await commands[command.command](command) };
  } catch (error) {
    answer = { error: String(error.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
