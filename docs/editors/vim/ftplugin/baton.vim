setlocal commentstring=#\ %s iskeyword+=-,.
" :make checks the file and puts what is wrong into the quickfix list.
setlocal makeprg=baton\ lint\ % errorformat=%f:%l:%c:\ %tarning:\ %m,%f:%l:%c:\ %m,%-G%.%#
" Ctrl-N completes every word of the language: the syntax file lists them.
let &l:complete = '.,w,b,k' . expand('<sfile>:p:h:h') . '/syntax/baton.vim'
