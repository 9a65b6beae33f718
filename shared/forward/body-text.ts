/**
 * Reading what others send, with a limit.
 *
 * @module
 */

/** A response's body as text. Rejects when it is larger than `maxBytes`, and takes no more of it than that. */
export async function readText(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  if (response.body === null) return text;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
