CREATE TABLE [dbo].[order] (
	[id] VARCHAR(64) NOT NULL,
	[labels] NVARCHAR(MAX),
	[note]]] NVARCHAR(MAX),
	[paid] BIT,
	[percent] FLOAT,
	[status] VARCHAR(64),
	[total] BIGINT,
	[updatedDate] NVARCHAR(MAX),
	PRIMARY KEY ([id])
)