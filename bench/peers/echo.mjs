// The TypeScript SDK's echo server: over HTTP on the port given, over stdio without one.

import { createServer } from "node:http";
import { toNodeHandler, localhostHostValidation, localhostOriginValidation } from "@modelcontextprotocol/node";
import { McpServer, createMcpHandler } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import * as z from "zod";

const inputSchema = z.object({ text: z.string().describe("What to say back") });

function echoServer() {
  const server = new McpServer({ name: "echo", version: "1.0.0" });
  server.registerTool("echo", { description: "Say the text back.", inputSchema }, ({ text }) => ({
    content: [{ type: "text", text: JSON.stringify({ text }) }],
    structuredContent: { text },
  }));
  return server;
}

const port = process.argv[2];
if (port === undefined) {
  serveStdio(echoServer);
} else {
  const handle = toNodeHandler(createMcpHandler(echoServer));
  const validHost = localhostHostValidation();
  const validOrigin = localhostOriginValidation();
  createServer((request, response) => {
    if (validHost(request, response) && validOrigin(request, response)) handle(request, response);
  }).listen(Number(port), "127.0.0.1");
}
