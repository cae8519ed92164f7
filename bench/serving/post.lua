-- wrk -s post.lua URL -- CONTENT_TYPE BODY...: posts the bodies in rotation, ends with one line
-- of JSON. Requests are formatted once, so that wrk only sends bytes.
local requests, place = {}, 0

function init(args)
  local headers = wrk.headers
  headers["Content-Type"] = args[1]
  for number = 2, #args do
    local file = assert(io.open(args[number], "rb"))
    requests[#requests + 1] = wrk.format("POST", nil, headers, file:read("*a"))
    file:close()
  end
end

function request()
  place = place % #requests + 1
  return requests[place]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '\n{"answers": %d, "seconds": %f, "not_200": %d, "broken": %d, "p50_s": %f, "p99_s": %f}\n',
    summary.requests, summary.duration / 1e6, failed.status,
    failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
