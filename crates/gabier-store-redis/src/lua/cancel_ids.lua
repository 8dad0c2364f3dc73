local answer = {}
for i = 2, #ARGV do table.insert(answer, cancel(load(ARGV[i]), ARGV[1])) end
return answer
