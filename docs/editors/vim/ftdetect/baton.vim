autocmd BufRead,BufNewFile *.scn setfiletype baton
