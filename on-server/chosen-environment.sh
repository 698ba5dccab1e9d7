# ------------------------------------------------------------------------------------------- the environment
# A part of the scripts that start other programs. What a person exports changes what shells and tools do: with
# POSIXLY_CORRECT, TAR_OPTIONS or UNZIP an archive is not unpacked, with a function named `curl` nothing is downloaded. So
# the scripts choose the environment of what they start. Hooks are the exception: they get the person's.

# What bash took over at its start: a mode, options, and functions. This part comes before the script's own functions.
set +o posix +fC
shopt -u nullglob failglob nocasematch nocaseglob dotglob
while read -r _ _ imported; do unset -f "$imported"; done < <(declare -F)
unset -v imported

# Removes what changes shells and tools. Everything else is passed on: a custom installer may need it.
drop_habits() {
  local variable
  export LC_ALL=C # otherwise bash complains about a locale that this machine lacks
  unset -v BASH_ENV ENV POSIXLY_CORRECT CDPATH GLOBIGNORE TMOUT FUNCNEST BASH_COMPAT BASH_XTRACEFD EXECIGNORE PS4 \
    _POSIX2_VERSION TAR_OPTIONS TAPE GZIP BZIP BZIP2 XZ_OPT XZ_DEFAULTS UNZIP UNZIPOPT ZIPINFO ZIPINFOOPT ZIPOPT \
    GREP_OPTIONS GREP_COLOR GREP_COLORS BLOCK_SIZE BLOCKSIZE DU_BLOCK_SIZE DF_BLOCK_SIZE LS_BLOCK_SIZE QUOTING_STYLE \
    TIME_STYLE COLUMNS AWKPATH AWKLIBPATH POSIX_ME_HARDER CURL_HOME LANGUAGE NODE_OPTIONS NODE_PATH
  export -n SHELLOPTS BASHOPTS
  while IFS= read -r variable; do
    if [[ $variable != LC_ALL && $variable =~ ^(LC_|PYTHON) ]]; then unset -v "$variable"; fi
  done < <(compgen -e)
  unset -v LC_ALL
}

# keep_environment NAME...: programs get nothing but the usual variables and these. The script still has all of them.
keep_environment() {
  local variable kept=" PATH HOME USER LOGNAME LANG TMPDIR TZ http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy \
    NO_PROXY SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE LD_PRELOAD LD_LIBRARY_PATH FAKETIME $* "
  drop_habits
  while IFS= read -r variable; do
    if [[ $kept != *" $variable "* && $variable != FAKETIME_* ]]; then export -n "${variable?}"; fi
  done < <(compgen -e)
}
