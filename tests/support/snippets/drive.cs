using System;

// Asks the function from docs/receivers.md about requests, one a line.
public static class Drive
{
    static string Header(string field) { return field == "-" ? null : field; }

    public static void Main()
    {
        string line;
        while ((line = Console.In.ReadLine()) != null)
        {
            var fields = line.Split('\t');
            var body = Convert.FromBase64String(fields[6]);
            var secrets = fields[1].Split(' ');
            var is_ = Hsmwatch.IsSender(Header(fields[2]), Header(fields[3]), Header(fields[4]), body, secrets);
            Console.WriteLine(is_ ? 1 : 0);
        }
    }
}
