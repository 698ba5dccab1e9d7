/** NGINX as the site's TLS endpoint. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { describeWith, nginx } from "./proxy-kinds";
import { ProxyUnderTest } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";
import { certificateOf } from "./site-certificate";

describeWith(nginx)("nginx with TLS", () => {
  let proxy: ProxyUnderTest;
  let port: number;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(nginx, {}, undefined, {
      http: { hosts: ["shop.example", "www.shop.example"] },
      certificate: certificateOf("shop.example"),
    });
    port = proxy.spec.proxy.tls!.port;
  });
  afterAll(() => proxy?.close());

  test("redirects requests for the site's hosts only", async () => {
    const ask = async (...lines: string[]) => {
      const client = await RawConnection.open(proxy.spec.proxy.port);
      client.ask("GET /a?b=c HTTP/1.1", ...lines);
      const { status, headers } = await client.answer();
      client.close();
      return [status, headers.get("location")];
    };
    expect(await ask("Host: shop.example")).toEqual([308, `https://shop.example:${port}/a?b=c`]);
    expect(await ask("Host: WWW.shop.example:80")).toEqual([308, `https://www.shop.example:${port}/a?b=c`]);
    for (const host of ["evil.example", "shop.example.evil.example", "127.0.0.1"])
      expect(await ask(`Host: ${host}`)).toEqual([421, undefined]);
    expect(await ask("X: no host")).toEqual([400, undefined]);
  });

  test("gives out secure cookies, and names the user's scheme to instances", async () => {
    await proxy.set({ weight: 50 });
    const asked = request({
      ...{ host: "127.0.0.1", port, path: "/headers", rejectUnauthorized: false, agent: false },
      headers: { host: "shop.example", "x-forwarded-proto": "http", "x-forwarded-host": "evil.example" },
    }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    expect(response.headers["set-cookie"]).toEqual([
      expect.stringMatching(/^bluegreen-bucket=\d+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax; Secure$/),
    ]);
    const seen = JSON.parse(response.headers["x-seen"] as string) as object;
    expect(seen).toMatchObject({
      ...{ host: "shop.example", "x-forwarded-proto": "https", "x-forwarded-for": "127.0.0.1" },
    });
    expect(seen).not.toHaveProperty("x-forwarded-host");
  });
});
