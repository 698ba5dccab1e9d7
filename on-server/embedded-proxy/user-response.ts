/** An answer to a user, the proxy's own included: with TLS it makes browsers use nothing else, if the setting wants that. */
import { ServerResponse } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { SECURE_SCHEMES } from "../../configuration/cookies";
import { strictTransportSecurity } from "../../configuration/http-settings";
import type { HttpSettings } from "../../configuration/http-settings";
import type { TrustedBalancers } from "../director/drivers/trusted-balancers";
import { addressOf } from "./request-headers";

/** An instance's own header replaces it. */
const NAME = "strict-transport-security";

export class UserResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
  private static strict: ((request: IncomingMessage) => string | null) | null = null;

  /** Before the first request. */
  static follow({ strictTransportSecurity: wanted }: HttpSettings, trusted: TrustedBalancers): void {
    if (wanted === undefined) return;
    const value = strictTransportSecurity(wanted);
    this.strict = (request) =>
      hasTls(request.headers) && trusted.include(addressOf(request)) ? value : null;
  }

  constructor(request: Request) {
    super(request);
    const value = UserResponse.strict?.(request);
    if (value) this.setHeader(NAME, value);
  }
}

/** This proxy has no TLS itself: a trusted balancer in front reports it. */
export function hasTls({ "x-forwarded-proto": scheme }: IncomingHttpHeaders): boolean {
  return SECURE_SCHEMES.some((each) => String(scheme).toLowerCase().startsWith(each));
}
