/** Sends messages to a measurement's child processes. */

/** Sends a message to a child process. @returns its answer. */
export function send(child, message) {
  return new Promise((resolve, reject) => {
    const ended = (code, signal) => reject(new Error(`the load's process ended: ${signal ?? code}`));
    child.once("exit", ended);
    child.once("message", (answer) => {
      child.off("exit", ended);
      resolve(answer);
    });
    child.send(message);
  });
}
