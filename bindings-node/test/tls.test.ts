import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as dial, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer, type Server } from "node:tls";
import { Client, connect, type TlsOptions } from "zoowarden";
import { Ensemble } from "zoowarden/testing";

const TIMEOUT = { timeout: 20_000 };

function openssl(...args: string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });
}

function missing(): string | false {
  try {
    openssl("version");
    return false;
  } catch {
    return "certificates are made by openssl, which is not here: apt-get install openssl";
  }
}

describe("TLS", { skip: missing() }, () => {
  let folder: string;
  let ensemble: Ensemble;
  let server: Server;
  let hosts: string;

  const pem = (name: string): Buffer => readFileSync(join(folder, name));

  /** A certificate of the authority's, or the authority itself. */
  function certify(name: string, ...more: string[]): void {
    const [key, out] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const rest = ["-days", "2", "-subj", `/CN=${name}`, "-keyout", key, "-out", out];
    openssl("req", "-x509", ...curve, ...rest, ...more);
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "zoowarden-npm-"));
    certify("ca");
    const signed = ["-CA", join(folder, "ca.pem"), "-CAkey", join(folder, "ca.key")];
    const leaf = [...signed, "-addext", "basicConstraints=critical,CA:FALSE"];
    certify("server", ...leaf, "-addext", "subjectAltName=IP:127.0.0.1");
    certify("client", ...leaf);
    ensemble = await Ensemble.start();
    const [host, port] = ensemble.connectString.split(":");
    // The server itself is plain: TLS ends here, and asks for the client's certificate.
    const asks = { requestCert: true, rejectUnauthorized: true, ca: pem("ca.pem") };
    const identity = { key: pem("server.key"), cert: pem("server.pem") };
    server = createServer({ ...identity, ...asks }, (socket) => {
      const plain = dial(Number(port), host);
      socket.pipe(plain).pipe(socket);
      socket.on("error", () => plain.destroy());
      plain.on("error", () => socket.destroy());
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    hosts = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server?.close();
    await ensemble?.close();
    rmSync(folder, { recursive: true });
  });

  it("is spoken with a server whose authority is trusted, by a client with a certificate", async () => {
    const tls = { ca: pem("ca.pem"), cert: pem("client.pem"), key: pem("client.key").toString() };
    await using client = await connect(hosts, { tls, ...TIMEOUT });
    assert.equal((await client.create("/secret", "1")).path, "/secret");
  });

  it("is refused to a server that is not trusted, and by a server that wants to know who it is", async () => {
    const identity = { cert: pem("client.pem"), key: pem("client.key") };
    const refused: TlsOptions[] = [{ ca: pem("client.pem"), ...identity }, { ca: pem("ca.pem") }];
    for (const tls of refused) {
      const failing = connect(hosts, { tls, timeout: 300 });
      await assert.rejects(failing, { code: "OPERATION_TIMEOUT" });
    }
  });

  it("may be spoken with anybody, in tests", async () => {
    const identity = { cert: pem("client.pem"), key: pem("client.key") };
    await using client = await connect(hosts, { tls: { verify: "nothing", ...identity }, ...TIMEOUT });
    assert.ok(await client.exists("/"));
  });

  it("refuses what is no certificate", () => {
    assert.throws(() => new Client("h", { tls: { ca: "nonsense" } }), /PEM/);
    assert.throws(() => new Client("h", { tls: { cert: "x" } }), /go together/);
    assert.throws(() => new Client("h", { tls: { verify: "name" as never } }), TypeError);
  });
});
