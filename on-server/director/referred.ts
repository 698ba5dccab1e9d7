/** "env:NAME" instead of a text: it is in this process's environment, which other accounts can't read. */
export function referred(text: string): string {
  if (!text.startsWith("env:")) return text;
  const name = text.slice(4);
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is not set here`);
  return value;
}
