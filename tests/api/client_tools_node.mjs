// Tool calls through the official openai client of npm, unmodified, from the demo checkpoint as `seraph run` serves it.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'any', maxRetries: 0 });
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const ask = {
  model: 'model',
  messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
  tools: [{ type: 'function', function: { name: 'get_weather', description: 'Get the weather of a city', parameters } }],
  temperature: 0,
  max_tokens: 80,
};

const tests = {
  async wholeAnswer() {
    const choice = (await client.chat.completions.create(ask)).choices[0];
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.equal(JSON.parse(choice.message.tool_calls[0].function.arguments).city, 'Paris');
  },
  async streamHelper() {
    const stream = client.chat.completions.stream(ask);
    let pieces = 0;
    stream.on('tool_calls.function.arguments.delta', () => { pieces += 1; });
    const completion = await stream.finalChatCompletion();
    const call = completion.choices[0].message.tool_calls[0];
    assert.equal(completion.choices[0].finish_reason, 'tool_calls');
    assert.equal(call.type, 'function');
    assert.equal(JSON.parse(call.function.arguments).city, 'Paris');
    assert.ok(pieces > 1, 'the arguments come in pieces');
  },
  async runner() {
    let asked;
    // The model names a tool of its own for this question; the runner is given that name.
    const name = (await client.chat.completions.create(ask)).choices[0].message.tool_calls[0].function.name;
    const run = client.chat.completions.runTools({
      ...ask,
      tools: [{
        type: 'function',
        function: { name, parameters, parse: JSON.parse, function: (args) => { asked = args.city; return '{"temperature": 21, "sky": "sunny"}'; } },
      }],
    });
    const text = await run.finalContent();
    assert.equal(asked, 'Paris');
    assert.ok(text.includes('21'), text);
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log('ok', name);
}
