/** Whether a host is this machine: what goes there crosses no network. */

/** @param host a name or an address; an IPv6 address with brackets, as a URL has it, or without. */
export function isThisMachine(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}
