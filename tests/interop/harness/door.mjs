// A door on the loopback through which a command can do something to a server, such as restart it.

import { createServer } from "node:http";

/** Opens the door; `deed` is called for each request. Returns the command to use, and how to close the door. */
export async function openDoor(deed) {
  const server = createServer((request, response) => {
    deed().then(
      () => response.writeHead(204).end(),
      (error) => response.writeHead(500).end(error.message),
    );
  });
  const { port } = await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server.address()));
  });
  const script = `fetch("http://127.0.0.1:${port}",{method:"POST"}).then(async(r)=>{if(!r.ok)throw await r.text()})`;
  return { command: `'${process.execPath}' -e '${script}'`, close: () => server.close() };
}
