-- For wrk: users of all buckets, in turns that keep no side waiting. They have the cookies of both configurations, and that
-- of a server, if there is one.
local server = os.getenv("SERVER_TOKEN")
local requests = {}
local turn = 0

function init()
  for bucket = 0, 99 do
    local side = bucket % 2 == 0 and "blue" or "green"
    local cookie = "bluegreen-bucket=" .. bucket .. "; side=" .. side
    if server then cookie = cookie .. "; bluegreen-server=" .. server end
    requests[bucket] = wrk.format("GET", "/", { Cookie = cookie })
  end
end

function request()
  turn = (turn + 37) % 100
  return requests[turn]
end
