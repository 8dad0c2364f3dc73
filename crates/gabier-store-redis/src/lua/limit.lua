-- Sets a limit or lifts it. ARGV: scope, the limit as JSON or ''.
if ARGV[2] == '' then
  call('HDEL', P .. 'limits', ARGV[1])
else
  call('HSET', P .. 'limits', ARGV[1], ARGV[2])
end
call('DEL', P .. 'bucket:' .. ARGV[1])
unpark(ARGV[1], 1000)
tell('a')
return 1
