// A tap on the line between a server and a client that is another program: what they say goes through a Wire.

import { createServer } from "node:http";

/** What belongs to one connection and is not handed on; `fetch` unpacks what comes. */
const OWN = ["host", "connection", "keep-alive", "transfer-encoding", "content-length", "accept-encoding", "content-encoding"];

const handedOn = (headers) => Object.fromEntries([...headers].filter(([name]) => !OWN.includes(name)));

export class Tap {
  #server;

  /** Listens on the loopback for a client of the server at `url`, of which no poll shall wait for longer than given. */
  static async open(url, wire, longestPollMs = Infinity) {
    const server = createServer((request, response) => {
      const wanted = shortened(new URL(request.url, url), longestPollMs);
      // Where the server does not answer, the client's connection breaks too.
      pass(wanted, wire, request, response).catch(() => response.destroy());
    });
    server.keepAliveTimeout = 0; // else a client may use a connection in the moment in which it is closed
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return new Tap(server);
  }

  constructor(server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${server.address().port}`;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function shortened(url, longestPollMs) {
  if (Number(url.searchParams.get("timeout")) > longestPollMs) url.searchParams.set("timeout", longestPollMs);
  return url;
}

async function pass(url, wire, request, response) {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const answer = await wire.fetch(url.href, {
    method: request.method,
    headers: handedOn(Object.entries(request.headers)),
    body: await text(request),
    signal: gone.signal,
  });
  response.writeHead(answer.status, handedOn(answer.headers)).end(Buffer.from(await answer.arrayBuffer()));
}

/** The body; all that these clients send is JSON. `undefined` where there is none. */
async function text(request) {
  let body = "";
  for await (const part of request.setEncoding("utf8")) body += part;
  return body || undefined;
}
