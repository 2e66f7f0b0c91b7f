// A gRPC-web client as small as it can be: `call` makes a call and gives what comes of it.
"use strict";

const TRAILERS = 0x80;

function framed(message) {
  const body = new Uint8Array(5 + message.length);
  new DataView(body.buffer).setUint32(1, message.length);
  body.set(message, 5);
  return body;
}

function lines(payload) {
  const text = new TextDecoder().decode(payload);
  return Object.fromEntries(text.trim().split("\r\n").map((line) => line.split(": ")));
}

// `first` resolves with the first message; the whole with every message's length, and the trailers.
function call(base, path, message, headers = {}, signal = undefined) {
  let heard;
  const first = new Promise((resolve) => (heard = resolve));
  const whole = (async () => {
    const response = await fetch(base + path, {
      method: "POST",
      body: framed(new Uint8Array(message)),
      headers: { "content-type": "application/grpc-web+proto", "x-grpc-web": "1", ...headers },
      signal,
    });
    const answer = { http: response.status, messages: [], trailers: null };
    let buffer = new Uint8Array();
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return answer;
      const joined = new Uint8Array(buffer.length + value.length);
      joined.set(buffer);
      joined.set(value, buffer.length);
      buffer = joined;
      while (buffer.length >= 5) {
        const end = 5 + new DataView(buffer.buffer, buffer.byteOffset).getUint32(1);
        if (buffer.length < end) break;
        const payload = buffer.slice(5, end);
        if (buffer[0] === TRAILERS) answer.trailers = lines(payload);
        else answer.messages.push(Array.from(payload));
        heard(payload.length);
        buffer = buffer.slice(end);
      }
    }
  })();
  whole.catch(() => heard(-1));
  return { first, whole };
}

async function outcome(...parts) {
  try {
    return await call(...parts).whole;
  } catch (error) {
    return { error: error.name };
  }
}

window.client = { call, outcome };
