-- wrk script: asks for the paths in the file named by PATHS, in an order drawn at random; with RATE set, each of
-- CONNECTIONS connections waits so that so many requests a second are asked for in all.
local paths = {}
for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
local rate = tonumber(os.getenv("RATE") or "0")
local connections = tonumber(os.getenv("CONNECTIONS") or "1")

function init()
  math.randomseed(os.time())
end

function request()
  return wrk.format("GET", paths[math.random(#paths)])
end

if rate > 0 then
  -- Exponential pauses: requests come as from many people who know nothing of each other.
  function delay()
    return -math.log(1 - math.random()) * 1000 * connections / rate
  end
end

function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %.0f %.0f %.0f\n", summary.requests, summary.duration, summary.bytes,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
