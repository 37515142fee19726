#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Installs Tillmate on Windows 10 or newer, or brings an installed one up to the given wheel.

.DESCRIPTION
WRITTEN, NOT RUN: this script was written on Linux and has been parsed, but not one line of it has been executed on
Windows. Try it on one till first, and read it before you do.

It does what install/linux/install.sh does: each version is built complete in a folder of its own before anything that
runs is touched; `current` then points at it, and back again if it does not come up. Configuration and data are kept.

How it runs: a scheduled task as LOCAL SERVICE, not a Windows service. A service must answer the service control
manager, which takes either pywin32 or a foreign wrapper program; the task scheduler is part of Windows. The price:
  - a stop is a kill. Nothing that was acknowledged is lost by that, the queue is made for it.
  - there is no watchdog for a process that hangs.
  - it is back within a minute, not within seconds: a trigger fires every minute and is ignored while the agent runs.
    ("Restart on failure" of the task is not relied on: it is limited to 255 attempts, and Windows decides what a failure is.)

.PARAMETER Wheel
The tillmate-*.whl file.
.PARAMETER Wheelhouse
Take every dependency from this folder and ask no network.
.PARAMETER Config
Use this configuration; an older one is kept beside it.
.PARAMETER OsQueue
Also what printers behind a Windows printer queue need (driver os_queue). Say it again at each upgrade.
.PARAMETER Python
The python.exe to build on: 3.11 or newer, installed for all users.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Wheel,
    [string]$Wheelhouse = '',
    [string]$Config = '',
    [switch]$OsQueue,
    [string]$Python = ''
)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$HomeFolder = Join-Path $env:ProgramFiles 'Tillmate'
$DataFolder = Join-Path $env:ProgramData 'Tillmate'
$ConfigFile = Join-Path $DataFolder 'config.toml'
$StateFolder = Join-Path $DataFolder 'data'
$LogFolder = Join-Path $DataFolder 'logs'
$Current = Join-Path $HomeFolder 'current'
$TaskName = 'Tillmate'
$LocalService = 'S-1-5-19'
$Requirements = Join-Path $PSScriptRoot '..\requirements.txt'
if ($OsQueue) { $Requirements = Join-Path $PSScriptRoot '..\requirements-os-queue.txt' }

# What went wrong, where, and what the person in front of it can do.
function Stop-Installation([string]$What, [string]$Where, [string]$Cure) {
    throw "Tillmate: FAILED: $What`n  where: $Where`n  do:    $Cure"
}

function Assert-Native([string]$What, [string]$Where, [string]$Cure) {
    if ($LASTEXITCODE -ne 0) { Stop-Installation $What $Where $Cure }
}

function Find-Python {
    $candidates = @($Python)
    if (-not $Python) {
        $candidates = @(Get-Command python.exe -All -ErrorAction SilentlyContinue | ForEach-Object { $_.Source })
        $candidates += @(Get-ChildItem (Join-Path $env:ProgramFiles 'Python3*\python.exe') -ErrorAction SilentlyContinue | ForEach-Object { $_.FullName })
    }
    foreach ($candidate in $candidates) {
        # A Python in a user's own folder is of no use: LOCAL SERVICE may not read it.
        & $candidate -I -c "import sys; sys.exit(sys.version_info < (3, 11) or chr(92) + 'users' + chr(92) in sys.base_prefix.lower())" 2>$null
        if ($LASTEXITCODE -eq 0) { return $candidate }
    }
    Stop-Installation 'no Python 3.11 or newer that is installed for all users' 'PATH and Program Files' 'install Python from python.org with "for all users", or name it with -Python'
}

function Get-Target([string]$Link) {
    if (Test-Path $Link) { return @((Get-Item $Link).Target)[0] }
    return ''
}

function New-Release([string]$Interpreter) {
    $version = (Split-Path $Wheel -Leaf).Split('-')[1]
    $release = Join-Path $HomeFolder ('releases\{0}-{1:yyyyMMddTHHmmssZ}' -f $version, [DateTime]::UtcNow)
    Write-Host "building $release"
    & $Interpreter -I -m venv $release
    Assert-Native 'the virtual environment could not be made' $release 'free some disk space (300 MB)'
    $inner = Join-Path $release 'Scripts\python.exe'
    $pip = @('-I', '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-cache-dir', '--no-input')
    $source = @()
    if ($Wheelhouse) { $source = @('--no-index', '--find-links', $Wheelhouse) }
    & $inner @pip @source --only-binary ':all:' --no-deps --require-hashes -r $Requirements
    Assert-Native 'the dependencies could not be installed' 'pip, see its last lines above' 'without a network give -Wheelhouse with a complete folder for this Python'
    & $inner @pip --no-index --no-deps $Wheel
    Assert-Native 'the wheel could not be installed' $Wheel 'copy it again'
    return $release
}

# Nobody but the administrators, the system and the service may read what lies here.
function Set-PrivateAccess([string]$Folder) {
    New-Item -ItemType Directory -Force $Folder | Out-Null
    & icacls.exe $Folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' | Out-Null
    Assert-Native 'access to the folder could not be limited' $Folder 'run this as administrator on an NTFS disk'
}

function Grant-Service([string]$Path, [string]$Right) {
    & icacls.exe $Path /grant "*${LocalService}:$Right" | Out-Null
    Assert-Native 'the service could not be given access' $Path 'run this as administrator on an NTFS disk'
}

function Set-Configuration([string]$Release) {
    $inner = Join-Path $Release 'Scripts\python.exe'
    $candidate = Join-Path $DataFolder 'config.candidate.toml'
    if ($Config) { Copy-Item $Config $candidate -Force }
    elseif (Test-Path $ConfigFile) { Copy-Item $ConfigFile $candidate -Force }
    else {
        # Python writes the file: PowerShell 5.1 would add a byte order mark, which TOML forbids.
        $code = 'import pathlib, sys; from agent.config import example; pathlib.Path(sys.argv[1]).write_text(example().replace(sys.argv[2], sys.argv[3]), encoding=sys.argv[4])'
        & $inner -I -c $code $candidate '/var/lib/tillmate' ($StateFolder -replace '\\', '/') 'utf-8'
        Assert-Native 'the example configuration could not be written' $candidate 'read the lines above'
    }
    & (Join-Path $Release 'Scripts\tillmate.exe') check --config $candidate
    Assert-Native 'the configuration has the mistakes named above' $candidate 'mend them in your file and run this again'
    if (Test-Path $ConfigFile) {
        if ((Get-FileHash $ConfigFile).Hash -ne (Get-FileHash $candidate).Hash) {
            Move-Item $ConfigFile ('{0}.before-{1:yyyyMMddTHHmmssZ}' -f $ConfigFile, [DateTime]::UtcNow)
        }
    }
    Move-Item $candidate $ConfigFile -Force
    Grant-Service $ConfigFile 'R'
}

# The task's program: keeps the log of the last two starts that filled 10 MB, then becomes the agent.
function Set-Runner {
    $log = Join-Path $LogFolder 'tillmate.log'
    $lines = @(
        '@echo off',
        ('if exist "{0}" for %%F in ("{0}") do if %%~zF GTR 10000000 move /y "{0}" "{0}.1" >nul' -f $log),
        ('"{0}\Scripts\python.exe" -I -c "from agent.cli import main; main()" run --config "{1}" >>"{2}" 2>&1' -f $Current, $ConfigFile, $log)
    )
    [IO.File]::WriteAllLines((Join-Path $HomeFolder 'run.cmd'), $lines)
}

function Set-Task {
    $action = New-ScheduledTaskAction -Execute "$env:SystemRoot\System32\cmd.exe" -Argument ('/d /c ""{0}""' -f (Join-Path $HomeFolder 'run.cmd')) -WorkingDirectory $StateFolder
    $triggers = @(
        (New-ScheduledTaskTrigger -AtStartup),
        (New-ScheduledTaskTrigger -Once -At (Get-Date) -RepetitionInterval (New-TimeSpan -Minutes 1))
    )
    $settings = New-ScheduledTaskSettingsSet -MultipleInstances IgnoreNew -ExecutionTimeLimit ([TimeSpan]::Zero) -StartWhenAvailable -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -Priority 4
    $principal = New-ScheduledTaskPrincipal -UserId $LocalService -LogonType ServiceAccount -RunLevel Limited
    Register-ScheduledTask -TaskName $TaskName -Description 'Tillmate, the loyalty agent of the till' -Action $action -Trigger $triggers -Settings $settings -Principal $principal -Force | Out-Null
}

function Stop-Agent {
    if (Get-ScheduledTask -TaskName $TaskName -ErrorAction SilentlyContinue) {
        Disable-ScheduledTask -TaskName $TaskName | Out-Null
        Stop-ScheduledTask -TaskName $TaskName
    }
    # The task's own program is cmd.exe; what it started must not outlive it.
    Get-CimInstance Win32_Process | Where-Object { $_.CommandLine -like "*$Current\*" -and $_.ProcessId -ne $PID } |
        ForEach-Object { Stop-Process -Id $_.ProcessId -Force -ErrorAction SilentlyContinue }
}

function Set-Current([string]$Release) {
    if (Test-Path $Current) { (Get-Item $Current).Delete() }
    New-Item -ItemType Junction -Path $Current -Target $Release | Out-Null
}

function Test-Ready {
    Enable-ScheduledTask -TaskName $TaskName | Out-Null
    Start-ScheduledTask -TaskName $TaskName
    $inner = Join-Path $Current 'Scripts\python.exe'
    $port = & $inner -I -c 'import pathlib, sys; from agent.config import load; print(load(pathlib.Path(sys.argv[1])).api.port)' $ConfigFile
    $deadline = (Get-Date).AddSeconds(30)
    while ((Get-Date) -lt $deadline) {
        try {
            if ((Invoke-WebRequest -UseBasicParsing -TimeoutSec 2 "http://127.0.0.1:$port/readyz").StatusCode -eq 200) { return $true }
        }
        catch { Start-Sleep -Milliseconds 500 }
    }
    return $false
}

function Remove-Unused([string[]]$Keep) {
    Get-ChildItem (Join-Path $HomeFolder 'releases') -Directory |
        Where-Object { $Keep -notcontains $_.FullName } |
        ForEach-Object { Remove-Item $_.FullName -Recurse -Force }
}

if (-not ((Test-Path $Wheel -PathType Leaf) -and ((Split-Path $Wheel -Leaf) -like 'tillmate-*.whl'))) {
    Stop-Installation 'this is no Tillmate wheel' $Wheel 'name the tillmate-*.whl file that came with this script'
}
$Wheel = (Resolve-Path $Wheel).Path
if ($Wheelhouse) { $Wheelhouse = (Resolve-Path $Wheelhouse).Path }
if ($Config) { $Config = (Resolve-Path $Config).Path }

$previous = Get-Target $Current
$release = ''
try {
    $release = New-Release (Find-Python)
    Set-PrivateAccess $DataFolder
    Grant-Service $DataFolder '(RX)'
    foreach ($folder in @($StateFolder, $LogFolder)) {
        New-Item -ItemType Directory -Force $folder | Out-Null
        Grant-Service $folder '(OI)(CI)M'
    }
    Set-Configuration $release
    Stop-Agent
    Set-Current $release
    Set-Runner
    Set-Task
    if (-not (Test-Ready)) {
        if ($previous) {
            Stop-Agent
            Set-Current $previous
            if (Test-Ready) { Stop-Installation 'the new version does not come up' $LogFolder "the previous version runs again: $previous" }
        }
        Stop-Installation 'the agent does not come up' $LogFolder 'read the last lines of tillmate.log; exit codes and their cures: docs/install.md'
    }
}
finally {
    if (Test-Path (Join-Path $HomeFolder 'releases')) { Remove-Unused @((Get-Target $Current), $previous) }
}

Write-Host @"

Tillmate is installed. Next:
  1. name the server, the till, its scanners and printers:   notepad "$ConfigFile"
     and check it:   & "$Current\Scripts\tillmate.exe" check --config "$ConfigFile"
  2. take it into use:   Stop-ScheduledTask $TaskName; Start-ScheduledTask $TaskName
  3. see that all is well:   & "$Current\Scripts\tillmate.exe" status --config "$ConfigFile"
     and what it says:   Get-Content "$LogFolder\tillmate.log" -Tail 20 -Wait
"@
