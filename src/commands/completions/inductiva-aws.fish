# Completions of inductiva-aws for fish. The program knows the words:
# inductiva-aws completions --help

function __inductiva_aws_words
    set --local words (commandline --current-process --tokenize --cut-at-cursor)
    set --append words (commandline --current-token --cut-at-cursor)
    command inductiva-aws complete-words fish -- $words 2>/dev/null
end

complete --command inductiva-aws --no-files --keep-order --arguments '(__inductiva_aws_words)'
