-- A part of what an attempt wrote. ARGV: id, stream, first byte, length.
-- Gives {from, bytes, total, lines, stored, where the middle that is gone begins, where it ends}; -1 when it is whole.
local key, base = P .. 't:' .. ARGV[1], P .. 'o:' .. ARGV[1] .. ':' .. ARGV[2]
local from, length = tonumber(ARGV[3]), tonumber(ARGV[4])
local said = call('HMGET', key, 'total:' .. ARGV[2], 'lines:' .. ARGV[2])
local total, lines = tonumber(said[1] or 0), tonumber(said[2] or 0)
local head, tail = call('STRLEN', base .. ':head'), call('STRLEN', base .. ':tail')
local begin = total - tail
if begin > head and from >= head and from < begin then from = begin end
local bytes = ''
if length > 0 and from < head then bytes = call('GETRANGE', base .. ':head', from, from + length - 1) end
if #bytes < length and from + #bytes >= begin and from + #bytes < total then
  local at = from + #bytes - begin
  bytes = bytes .. call('GETRANGE', base .. ':tail', at, at + length - #bytes - 1)
end
local is_whole = begin <= head
return {from, bytes, total, lines, head + tail, is_whole and -1 or head, is_whole and -1 or begin}
