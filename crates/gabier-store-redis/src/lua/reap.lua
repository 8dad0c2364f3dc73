-- Moves on what lost its worker or its time. ARGV: most. Gives how many moved.
return reap_leases(tonumber(ARGV[1])) + reap_deadlines(tonumber(ARGV[1]))
