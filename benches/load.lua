-- The requests of benches/load, for wrk. Each request goes to the next run of the list, so that no run is hot.

local runs = {}
for run in io.lines(os.getenv("LOAD_RUNS")) do
   runs[#runs + 1] = run
end

local headers = { ["Authorization"] = "Bearer " .. os.getenv("LOAD_TOKEN"), ["Content-Type"] = "application/json" }
local write = os.getenv("LOAD_SCENARIO") == "evidence"
local body = '{"kind":"note","label":"deal terms","content":"Loan 8.625M at 65 % of value, 25 years"}'
local sent = 0

function request()
   sent = sent + 1
   local run = "/runs/" .. runs[sent % #runs + 1]
   if write then
      return wrk.format("POST", run .. "/evidence", headers, body)
   end
   return wrk.format("GET", run, headers)
end

function done(summary, latency)
   local errors = summary.errors
   -- wrk counts 4xx and 5xx as `status`; the rest are connections that broke or took too long.
   local refused = errors.status + errors.connect + errors.read + errors.write + errors.timeout
   local seconds = summary.duration / 1e6
   io.write(string.format(
      '\nJSON {"connections_errors":%d,"refused":%d,"requests":%d,"seconds":%.2f,"per_second":%.0f,' ..
      '"p50_ms":%.2f,"p99_ms":%.2f,"max_ms":%.2f}\n',
      refused - errors.status, refused, summary.requests, seconds, summary.requests / seconds,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
