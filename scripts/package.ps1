# Sees to it that the package of the function app is at dist/hsmwatch.zip, so that nobody needs Rust to deploy. azd runs this.
# It does what scripts/package.sh does, and reads the same variables: HSMWATCH_RELEASES, HSMWATCH_REQUIRE_PROVENANCE.
# It keeps to what Windows PowerShell 5.1 understands.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

Set-Location -LiteralPath (Split-Path -Parent $PSScriptRoot)
$zip = Join-Path (Get-Location) 'dist/hsmwatch.zip'
$shownZip = 'dist/hsmwatch.zip'
$mark = "$zip.release"
$work = $null

function Say([string] $Text) { Write-Host "package: $Text" }

# The first text is what is wrong; each further one is a line of the cure.
function Refuse([string[]] $Lines) {
    $all = @("package: $($Lines[0])") + @($Lines | Select-Object -Skip 1 | ForEach-Object { "         $_" })
    [Console]::Error.WriteLine($all -join "`n")
    if ($work) { Remove-Item -LiteralPath $work -Recurse -Force -ErrorAction SilentlyContinue }
    exit 1
}

function Get-Sum([string] $Path) { (Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash.ToLowerInvariant() }

$version = $null
$inPackage = $false
foreach ($line in Get-Content -LiteralPath 'Cargo.toml') {
    if ($line -match '^\[') { $inPackage = $line -eq '[workspace.package]' }
    if ($inPackage -and $line -match '^version *= *"([0-9A-Za-z.+-]+)"') { $version = $Matches[1] }
}
if (-not $version) { Refuse 'no version is found in Cargo.toml: is this a checkout of hsmwatch?' }
$tag = "v$version"

# A package that is there.
if (Test-Path -LiteralPath $zip) {
    $sum = Get-Sum $zip
    $marked = @('', '')
    if (Test-Path -LiteralPath $mark) { $marked = @((Get-Content -LiteralPath $mark -TotalCount 1) -split ' ') + @('', '') }
    if ($marked[1] -eq $sum -and $marked[0] -ne $tag) {
        Say "$shownZip is the package of release $($marked[0]), and this checkout is ${tag}: looking for that release"
    } else {
        if (Test-Path -LiteralPath "$zip.sha256") {
            $built = ((Get-Content -LiteralPath "$zip.sha256" -TotalCount 1) -split ' ')[0]
            if ($built -ne $sum) {
                Refuse "$shownZip is not what the checksum beside it, $shownZip.sha256, was made of:",
                    "$sum is what it has", "$built is written there",
                    'Remove both, and run again: or build the package, `cargo xtask package`.'
            }
        }
        $bytes = New-Object byte[] 2
        $stream = [IO.File]::OpenRead($zip)
        try { $null = $stream.Read($bytes, 0, 2) } finally { $stream.Dispose() }
        if ($bytes[0] -ne 0x50 -or $bytes[1] -ne 0x4b) { Refuse "$shownZip is no zip: remove it, and run again" }
        Say "taking $shownZip, which is there already"
        Say "SHA-256 $sum"
        exit 0
    }
}

# Where the release is, and whose. OWNER/NAME if this is an address on github.com, which may have a token in it.
function Get-Repository([string] $Address) {
    if ($Address -match '^(?:[a-z]+://)?(?:[^/@]*@)?(?:www\.|ssh\.)?github\.com(?::\d+)?[:/]([A-Za-z0-9._-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?$') {
        return $Matches[1]
    }
    return ''
}
$cure = "Set HSMWATCH_RELEASES=https://github.com/OWNER/NAME/releases/download, or put the package at $shownZip."
$repository = ''
if ($env:HSMWATCH_RELEASES) {
    $releases = $env:HSMWATCH_RELEASES.TrimEnd('/')
    if ($releases -match '^(https://github\.com/.+)/releases/download$') {
        $repository = Get-Repository $Matches[1]
    } elseif ($releases -notmatch '^https://.' -and $releases -notmatch '^http://(127\.0\.0\.1|localhost|\[::1\])([:/]|$)') {
        Refuse '`HSMWATCH_RELEASES` is neither an https address nor one of this machine: the checksum comes from there too'
    }
} else {
    if (-not (Get-Command git -ErrorAction SilentlyContinue)) {
        Refuse 'the release cannot be found: there is no `git` to ask for the remote `origin`', $cure
    }
    # Windows PowerShell would take what git says on standard error for an exception.
    $ErrorActionPreference = 'Continue'
    $origin = git remote get-url origin 2>$null
    $ErrorActionPreference = 'Stop'
    if ($LASTEXITCODE -ne 0) { Refuse 'the release cannot be found: this checkout has no remote `origin`', $cure }
    $repository = Get-Repository $origin
    if (-not $repository) { Refuse 'the release cannot be found: the remote `origin` is no repository on github.com', $cure }
    $releases = "https://github.com/$repository/releases/download"
}
$shown = $releases -replace '://[^/@]*@', '://'

$null = New-Item -ItemType Directory -Force -Path 'dist'
$work = Join-Path (Get-Location) "dist/.download.$PID"
$null = New-Item -ItemType Directory -Force -Path $work

# The file of this name of the release, to the folder of what is not checked yet.
function Get-Asset([string] $Name) {
    try {
        Invoke-WebRequest -UseBasicParsing -Uri "$releases/$tag/$Name" -OutFile (Join-Path $work $Name)
    } catch {
        $code = 0
        $answer = $_.Exception.PSObject.Properties['Response']
        if ($answer -and $answer.Value) { $code = [int] $answer.Value.StatusCode }
        if ($code -eq 404) {
            Refuse "there is no $Name in a release ${tag}: $shown/$tag/$Name (404)",
                'This checkout may be newer than every release: check out the tag of one.',
                'A private repository shows its releases to nobody unknown. Signed in to the GitHub CLI:',
                "  gh release download $tag --dir dist --pattern hsmwatch.zip"
        }
        $why = $_.Exception.Message
        if ($code) { $why = "the server answered $code" }
        Refuse "$Name of release $tag was not downloaded: $why", "$shown/$tag/$Name"
    }
}

try {
    Say "downloading hsmwatch.zip of release $tag from $shown"
    Get-Asset 'SHA256SUMS'
    $expected = @(Get-Content -LiteralPath (Join-Path $work 'SHA256SUMS') |
        Where-Object { $_ -match '^([0-9A-Fa-f]{64}) [ *]hsmwatch\.zip$' } |
        ForEach-Object { ($_ -split ' ')[0].ToLowerInvariant() })
    if ($expected.Count -ne 1) { Refuse "SHA256SUMS of release $tag has no single checksum for hsmwatch.zip: nothing was taken" }
    Get-Asset 'hsmwatch.zip'
    $fresh = Join-Path $work 'hsmwatch.zip'
    $sum = Get-Sum $fresh
    if ($sum -ne $expected[0]) {
        Refuse 'the checksum of the download is wrong: nothing was taken', "$sum is what came",
            "$($expected[0]) is what SHA256SUMS of release $tag says",
            'Try again; if it stays so, somebody between the release and you changes files: tell them, and us.'
    }

    # Who built it. The checksum comes from where the package comes from; the provenance does not.
    $unverified = ''
    $ErrorActionPreference = 'Continue'
    if (-not $repository) {
        $unverified = '`HSMWATCH_RELEASES` is no GitHub repository'
    } elseif (-not (Get-Command gh -ErrorAction SilentlyContinue)) {
        $unverified = 'there is no GitHub CLI (`gh`)'
    } else {
        $null = gh attestation verify --help 2>&1
        if ($LASTEXITCODE -ne 0) {
            $unverified = 'this GitHub CLI is too old for `gh attestation`'
        } else {
            $null = gh auth status --hostname github.com 2>&1
            if ($LASTEXITCODE -ne 0) {
                $unverified = 'the GitHub CLI is not signed in (`gh auth login`)'
            } else {
                $said = gh attestation verify $fresh --repo $repository --signer-workflow "$repository/.github/workflows/release.yml" 2>&1
                if ($LASTEXITCODE -ne 0) {
                    Refuse (@('the provenance is not verified: nothing was taken. `gh attestation verify` says:') +
                        @($said | Select-Object -Last 5 | ForEach-Object { "$_" }))
                }
                Say "provenance: built by the release workflow of $repository"
            }
        }
    }
    $ErrorActionPreference = 'Stop'
    if ($unverified) {
        if ($env:HSMWATCH_REQUIRE_PROVENANCE -eq '1') {
            Refuse "the provenance cannot be verified, and HSMWATCH_REQUIRE_PROVENANCE=1: $unverified"
        }
        Say "the provenance was not verified: $unverified"
    }

    Remove-Item -LiteralPath "$zip.sha256" -Force -ErrorAction SilentlyContinue
    Move-Item -LiteralPath $fresh -Destination $zip -Force
    Set-Content -LiteralPath $mark -Value "$tag $sum" -Encoding Ascii
    Say "$shownZip is the package of release $tag; its checksum is right"
    Say "SHA-256 $sum"
} finally {
    Remove-Item -LiteralPath $work -Recurse -Force -ErrorAction SilentlyContinue
}
