-- For wrk: posts the events of a file, one in each line, in order, and starts again at the end.
--   wrk ... -- EVENTS TOKEN [ACKNOWLEDGED]
-- wrk writes the execution id of every event that was answered with 200 to the file ACKNOWLEDGED, which makes it slower.
local events, at = {}, 0

function init(args)
  wrk.method = "POST"
  wrk.headers["Authorization"] = "Bearer " .. args[2]
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(args[1]) do events[#events + 1] = wrk.format(nil, nil, nil, line) end
  if args[3] then
    local acknowledged = io.open(args[3], "w")
    acknowledged:setvbuf("line")
    function response(status, headers, body)
      if status == 200 then acknowledged:write(body:match('"executionId":%s*"([^"]+)"'), "\n") end
    end
  end
end

function request()
  at = at % #events + 1
  return events[at]
end

function done(summary, latency)
  io.write(string.format(
    '\n{"events": %d, "seconds": %f, "p99": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e6, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
