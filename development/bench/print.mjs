/** What a measurement says to the process of its users. */

/** Says one thing to a child process. @returns its answer. */
export function tell(child, message) {
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
