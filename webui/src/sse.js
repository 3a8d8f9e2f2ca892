// Server-sent events out of a fetch body: yields the data of each event as text, "[DONE]" excluded.
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      let end;
      while ((end = text.indexOf("\n\n")) >= 0) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        for (const line of event.split("\n")) {
          if (!line.startsWith("data:")) continue; // comments keep a silent stream alive
          const data = line.slice(5).trim();
          if (data === "[DONE]") return;
          yield data;
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
