// Reads the events of a calendar as the service writes them (RFC 5545): what, when, and whether it still stands.

export function readCalendar(source) {
  const events = [];
  let event = null;
  let depth = 0; // an alarm within an event has a summary of its own
  for (const line of source.replace(/\r?\n[ \t]/g, "").split(/\r?\n/)) {
    const [, name, parameters, value] = /^([A-Z-]+)((?:;[^:]*)?):(.*)$/s.exec(line) ?? [];
    if (name === "BEGIN" && value === "VEVENT") event = {};
    else if (name === "BEGIN" && event) depth += 1;
    else if (name === "END" && value === "VEVENT") { events.push(event); event = null; }
    else if (name === "END" && event) depth -= 1;
    else if (event && name && depth === 0) take(event, name, parameters, value);
  }
  return events.filter((each) => each.start).sort((a, b) => a.start - b.start);
}

function take(event, name, parameters, value) {
  if (name === "SUMMARY") event.summary = unescape(value);
  else if (name === "DESCRIPTION") event.description = unescape(value);
  else if (name === "LOCATION") event.location = unescape(value);
  else if (name === "UID") event.id = value;
  else if (name === "URL") event.url = value;
  else if (name === "STATUS") event.isOff = value === "CANCELLED";
  else if (name === "DTSTART") Object.assign(event, instant(value, parameters));
}

// A day without a time is that day wherever the reader is.
function instant(value, parameters) {
  const [year, month, day, hour = 0, minute = 0, second = 0] = (value.match(/\d+/g) ?? []).flatMap((part, place) =>
    place === 0 ? [part.slice(0, 4), part.slice(4, 6), part.slice(6, 8)] : [part.slice(0, 2), part.slice(2, 4), part.slice(4, 6)]).map(Number);
  const isDay = parameters.includes("VALUE=DATE") || !value.includes("T");
  const start = isDay ? new Date(year, month - 1, day) : new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  return Number.isNaN(start.getTime()) ? {} : { start, isDay };
}

const unescape = (value) => value.replace(/\\([\\;,nN])/g, (_, escaped) => escaped.toLowerCase() === "n" ? "\n" : escaped);
