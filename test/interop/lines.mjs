// Reads a JSON object a line and answers each with one: what was compared, and what is wrong.
import { createInterface } from 'node:readline';

export const hex = (bytes) => Buffer.from(bytes).toString('hex');
export const bytes = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
export const steps = (path) => (path ? path.split('/').map(Number) : []);

// The answer to one question: same() compares what Frostfleet says with what a library does.
class Answer {
  compared = 0;
  wrong = [];

  same(what, ours, theirs) {
    this.compared++;
    if (ours !== theirs) this.wrong.push(`${what}: ${ours}, and not ${theirs}`);
  }
}

// serve answers questions with the function of their kind. A library that throws has refused.
export async function serve(kinds) {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const question = JSON.parse(line);
    const answer = new Answer();
    try {
      kinds[question.ask](question, answer);
    } catch (e) {
      answer.wrong.push(`refused: ${e.message}`);
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}
