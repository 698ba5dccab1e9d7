/** Whether a host is this machine: its traffic crosses no network. */

/** @param host a name or an address; an IPv6 address with brackets, as in a URL, or without. */
export function isThisMachine(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}
